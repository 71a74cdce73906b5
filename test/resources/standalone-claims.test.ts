/** Claims where there is no cluster: what is shown when, who is left without, and what goes. */
import { describe, expect, test } from 'vitest'
import { composeCredential, RANDOM_BYTES } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { type Claim, openClaims } from '../../src/folder/claims.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { aKeyId } from '../operator/make.ts'

const KEY = { namespace: 'team', name: 'main' }
const JWK = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
} as const
const PLAINTEXT = new Plaintext(composeCredential(aKeyId('a'), new Uint8Array(RANDOM_BYTES)))
const LIFE_MS = 600_000

const claimNamed = (name: string) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKeyClaim',
  metadata: { name, namespace: 'team' },
  spec: { apiKey: 'main', publicJwk: JWK },
})

const secretAt = (version: number, claimedAt: number | undefined, uid = 'u'): KeySecret => ({
  ...{ keyId: aKeyId('a'), uid, name: 'team/main', origin: 'minted', rotations: 0, previous: undefined },
  current: { version, digest: 'd' as never, issuedAt: 1, claimedBy: claimedAt && 's', claimedAt } as never,
})

function home(stored: Map<string, Claim> = new Map(), now = 1000) {
  const state = { now, secret: undefined as KeySecret | undefined, told: [] as string[], woken: [] as string[] }
  let uids = 0
  const claims = openClaims({
    kept: {
      all: () => [...stored.values()],
      put: async (claim) => void stored.set(claim.uid, claim),
      erase: async (uid) => void stored.delete(uid),
    },
    sealing: async () => ({ seal: async () => 'sealed', isOnCurve: () => true }),
    words: {
      ...{ delivered: (_claim, what) => what, denied: (_claim, { reason }) => ({ reason }) },
      unanswered: { reason: 'NotClaimable', message: 'too late' },
    },
    lifeMs: LIFE_MS,
    nowMs: () => state.now,
    newUid: () => `claim-${uids++}`,
    dueOf: () => 1,
    secretOf: () => state.secret,
    onChange: (what, { name }) => state.told.push(`${what} ${name}`),
    wake: ({ name }) => state.woken.push(name),
  })
  const make = (name: string) =>
    claims.submit({
      key: `ApiKeyClaim/team/${name}`,
      dryRun: false,
      decide: (current) => {
        if (current !== undefined) throw new Error('exists')
        return { kind: 'put', manifest: claimNamed(name) }
      },
    })
  const remove = (name: string) =>
    claims.submit({ key: `ApiKeyClaim/team/${name}`, dryRun: false, decide: () => ({ kind: 'remove' }) })
  const deliver = (claim: string, holds = () => true) =>
    claims.deliver(KEY, { claim, keyUid: 'u', version: 1, plaintext: PLAINTEXT, holds })
  return { claims, state, stored, make, remove, deliver }
}

describe('a claim', () => {
  test('wakes whoever answers it, and is kept before it is told of', async () => {
    const { claims, state, stored, make } = home()
    await make('first')
    expect([state.told, state.woken, stored.size]).toEqual([['came first'], ['main'], 1])
    expect(claims.waiting(KEY, 'u')).toEqual([
      {
        ...{ name: 'first', claimant: 'standalone', version: undefined, dueWhenMade: 1 },
        ...{ delivered: undefined, objection: undefined },
      },
    ])
    await expect(make('first')).rejects.toThrow('exists')
  })

  test('shows what was sealed only once the key counts as handed over', async () => {
    const { claims, state, make, deliver } = home()
    await make('first')
    state.secret = secretAt(1, undefined)
    await deliver('first')
    expect(claims.statusOf('ApiKeyClaim/team/first')).toBeUndefined()
    state.secret = secretAt(1, 5)
    claims.confirmed(KEY)
    expect(claims.statusOf('ApiKeyClaim/team/first')).toEqual({ version: 1, jwe: 'sealed' })
    expect(state.told.at(-1)).toBe('changed first')
  })

  test('that was delivered before a crash is known to hold its version, for the very key that it was made for', async () => {
    const before = home()
    await before.make('first')
    await before.deliver('first')
    const { claims } = home(before.stored)
    expect(claims.waiting(KEY, 'u').map(({ delivered }) => delivered?.version)).toEqual([1])
    expect(claims.waiting(KEY, 'made again')).toEqual([])
    expect(claims.awaited()).toEqual([])
  })

  test('that is taken away while it is served receives nothing', async () => {
    const { stored, make, remove, deliver } = home()
    await make('first')
    const delivering = deliver('first', () => true)
    await remove('first')
    await expect(delivering).rejects.toMatchObject({ code: 'taken_over' })
    expect(stored.size).toBe(0)
  })

  test('receives nothing once somebody else has taken the hand-over', async () => {
    const { claims, make, deliver } = home()
    await make('first')
    await expect(deliver('first', () => false)).rejects.toMatchObject({ code: 'taken_over' })
    expect(claims.awaited()).toEqual([KEY])
  })

  const leftAfter = async ({ claims, state, stored }: ReturnType<typeof home>, ms: number) => {
    state.now += ms
    await claims.sweep()
    return [...stored.values()].map(({ name }) => name)
  }

  test.each(['denied', 'delivered'])('that was %s goes ten minutes after that, however long it waited', async (how) => {
    const here = home()
    await here.make('first')
    expect(await leftAfter(here, LIFE_MS - 1)).toEqual(['first'])
    if (how === 'delivered') await here.deliver('first')
    else await here.claims.deny(KEY, { claim: 'first', reason: 'KeyExpired', message: '' })
    expect(await leftAfter(here, LIFE_MS - 1)).toEqual(['first'])
    expect(await leftAfter(here, 1)).toEqual([])
    expect(here.state.told.at(-1)).toBe('went first')
  })

  test('that nobody could answer within ten minutes is told so, and goes ten minutes later', async () => {
    const here = home()
    await here.make('first')
    expect(await leftAfter(here, LIFE_MS - 1)).toEqual(['first'])
    expect(here.claims.statusOf('ApiKeyClaim/team/first')).toBeUndefined()
    expect(await leftAfter(here, 1)).toEqual(['first'])
    expect(here.claims.statusOf('ApiKeyClaim/team/first')).toEqual({ reason: 'NotClaimable' })
    expect(await leftAfter(here, LIFE_MS - 1)).toEqual(['first'])
    expect(await leftAfter(here, 1)).toEqual([])
  })

  test('that waited while nobody ran has its time from the start', async () => {
    const before = home()
    await before.make('first')
    const later = home(before.stored, before.state.now + LIFE_MS)
    expect(await leftAfter(later, LIFE_MS - 1)).toEqual(['first'])
    expect(later.claims.awaited()).toEqual([KEY])
    expect(await leftAfter(later, 1)).toEqual(['first'])
    expect(later.claims.awaited()).toEqual([])
  })

  test('is refused where a thousand wait', async () => {
    const { stored, make } = home()
    for (let i = 0; i < 1000; i++) await make(`claim-${i}`)
    await expect(make('one-more')).rejects.toMatchObject({ code: 'too_many_claims' })
    expect(stored.size).toBe(1000)
  })

  test('that is being delivered is not told that it is too late', async () => {
    const here = home()
    await here.make('first')
    here.state.now += LIFE_MS
    await Promise.all([here.deliver('first'), here.claims.sweep()])
    expect(here.claims.statusOf('ApiKeyClaim/team/first')).toMatchObject({ version: 1 })
  })

  test('that is deleted at the end of its time goes once', async () => {
    const { claims, state, make, remove } = home()
    await make('denied')
    await claims.deny(KEY, { claim: 'denied', reason: 'KeyExpired', message: '' })
    state.now += LIFE_MS
    await Promise.all([claims.sweep(), remove('denied'), claims.sweep()])
    expect(state.told.filter((told) => told.startsWith('went'))).toEqual(['went denied'])
  })
})
