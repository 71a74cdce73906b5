/** What a key gets by whoever is behind it, and what is written down of them. A fake API server, and fakes of people. */
import { describe, expect, test } from 'vitest'
import type { Cap } from '../../src/core/cap.ts'
import { readDigestSecret } from '../../src/kube/digest-secret.ts'
import type { AskedCap, PeoplePort } from '../../src/kube/people.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import { aRun, once, REF } from '../operator/crash-scenarios.ts'
import { aDigest, aKeyId, anApiKey, WORKLOAD } from '../operator/make.ts'
import { fakeClusterHome } from '../support/fake-cluster-home.ts'
import { attested, trustedPeople } from '../support/fake-people.ts'

const NOT_STAMPED = { ok: false, problem: 'it was not stamped' } as const
const PERMISSIONS = ['a:read', 'b:read']
const SPEC = { permissions: PERMISSIONS }

/** Ana makes keys, Ben claims them, and what each of them holds can be set. */
async function setUp(wanted: Partial<PeoplePort> = {}) {
  const holds: Record<string, readonly string[]> = { 'ana@example.com': PERMISSIONS, 'ben@example.com': PERMISSIONS }
  const asked: (readonly string[])[] = []
  const forgotten: string[] = []
  const placesOf: Record<string, readonly string[]> = {}
  const capOf = ({ apiKey, people }: AskedCap): Cap => ({
    held: apiKey.spec.permissions.filter((one) => people.every(({ person }) => holds[person.username]?.includes(one))),
    within: Object.assign({}, ...people.map(({ person }) => ({ 'a:read': placesOf[person.username] ?? ['eu', 'us'] }))),
  })
  const home = await fakeClusterHome('nothing', undefined, {
    ...trustedPeople,
    claimantOf: () => ({ ok: true, value: attested('ben@example.com') }),
    capOf: async (of) => {
      asked.push(of.people.map(({ person }) => person.username))
      return { cap: capOf(of), lost: [] }
    },
    capWith: async (of, claimant) => capOf({ ...of, people: [...of.people, claimant] }),
    forget: ({ name }) => {
      forgotten.push(name)
    },
    ...wanted,
  })
  const run = aRun(home)
  const read = async () => {
    const [object] = await home.digestSecrets()
    const found = object && readDigestSecret(object).read
    return found?.ok === true ? found.value : undefined
  }
  const statusOf = () =>
    home.server.get('/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/main')?.status as ApiKeyStatus
  const answers = async () =>
    (await home.claimsOf(REF)).map(
      ({ status }) => (status as { conditions: { reason: string }[] } | undefined)?.conditions[0]?.reason,
    )
  return { home, run, holds, placesOf, asked, forgotten, read, statusOf, answers }
}

const claimantsIn = async ({ read }: Awaited<ReturnType<typeof setUp>>) =>
  [...((await read())?.claimants ?? [])].map(([version, { person }]) => `${version} ${person.username}`)

describe('a claimant', () => {
  test('is written down with the version, and counts with the first of it that is granted', async () => {
    const all = await setUp()
    const { home, run, placesOf, read, asked } = all
    placesOf['ben@example.com'] = ['us']
    await home.declare(anApiKey(SPEC), 'uid-1')
    await once(run)
    expect((await read())?.granted?.cap.within, 'of its creator').toEqual({ 'a:read': ['eu', 'us'] })
    const granted: unknown[] = []
    home.server.onWrite((now, path) => {
      const found =
        path.includes('/keyward-system/secrets/') && now !== undefined ? readDigestSecret(now).read : undefined
      if (found?.ok === true) granted.push([found.value.secret.current?.version, found.value.granted?.cap.within])
    })
    await home.claim(REF)
    await once(run)
    expect(granted[0]).toEqual([1, { 'a:read': ['us'] }])
    expect(await claimantsIn(all)).toEqual(['1 ben@example.com'])
    expect(asked.at(-1)).toEqual(['ana@example.com', 'ben@example.com'])
  })

  test('goes with the version', async () => {
    const all = await setUp()
    const { home, run } = all
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    await once(run)
    await home.declare(anApiKey({ ...SPEC, regenerate: 1 }), 'uid-1')
    await once(run)
    expect(await claimantsIn(all)).toEqual([])
    await home.claim(REF, 2)
    await once(run)
    expect(await claimantsIn(all)).toEqual(['2 ben@example.com'])
  })

  test('of the version before is kept as long as that is in force', async () => {
    const all = await setUp()
    const { home, run } = all
    await home.declare(anApiKey({ ...SPEC, overlapMs: 3_600_000 }), 'uid-1')
    await home.claim(REF)
    await once(run)
    await home.declare(anApiKey({ ...SPEC, overlapMs: 3_600_000, regenerate: 1 }), 'uid-1')
    await home.claim(REF, 2)
    await once(run)
    expect((await claimantsIn(all)).sort()).toEqual(['1 ben@example.com', '2 ben@example.com'])
  })

  test('who no longer holds what the others hold is denied, and the next one receives it', async () => {
    const names = ['ben@example.com', 'cleo@example.com']
    const { home, run, holds, read } = await setUp({
      claimantOf: ({ metadata }) => ({ ok: true, value: attested(names[Number(metadata.name.at(-1)) - 1] ?? '') }),
    })
    holds['ben@example.com'] = ['b:read']
    holds['cleo@example.com'] = PERMISSIONS
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    await home.claim(REF)
    await once(run)
    const [first] = await home.claimsOf(REF)
    expect(first?.status).toMatchObject({
      conditions: [
        {
          reason: 'NotPermitted',
          message: expect.stringContaining('ben@example.com does not hold a:read on acme'),
        },
        { type: 'Finished' },
      ],
    })
    expect([(await read())?.secret.current?.claimedBy, (await read())?.granted?.cap.held]).toEqual([
      'cleo@example.com',
      PERMISSIONS,
    ])
  })

  test('of whom nothing is proven gets nothing', async () => {
    const all = await setUp({ claimantOf: () => NOT_STAMPED })
    const { home, run, read, answers } = all
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    await once(run)
    expect([await answers(), (await read())?.secret.current]).toEqual([['NotPermitted'], undefined])
  })

  test('who is nowhere written down leaves nothing in force of what they received', async () => {
    const { home, run, read, statusOf } = await setUp()
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    await once(run)
    const [object] = await home.digestSecrets()
    if (object === undefined) throw new Error('there is no digest Secret')
    const { claimants: _gone, ...data } = object.data as Record<string, string>
    const path = `/api/v1/namespaces/keyward-system/secrets/${object.metadata.name}`
    await home.server.client.send({ method: 'PUT', path, body: { ...object, data } })
    await once(run)
    expect([(await read())?.granted?.cap.held, statusOf().permissions]).toEqual([[], []])
    expect(statusOf().conditions.find(({ type }) => type === 'WithinCreatorAccess')?.message).toContain(
      'ben@example.com',
    )
  })
})

describe('a key that nobody is proven to have made', () => {
  test.each([
    ['to be claimed', SPEC],
    ['for a workload', { ...SPEC, delivery: WORKLOAD }],
    ['imported', { ...SPEC, delivery: { kind: 'imported', digest: aDigest('1'), keyId: aKeyId('1') } as const }],
  ])('gets no credential: %s', async (_what, spec) => {
    const { home, run, read, answers, statusOf } = await setUp({ creatorOf: () => NOT_STAMPED })
    await home.declare(anApiKey(spec), 'uid-1')
    await home.claim(REF)
    await once(run)
    expect([(await read())?.secret.current, await answers(), statusOf().phase]).toEqual([
      undefined,
      ['NotPermitted'],
      'Failed',
    ])
    expect(statusOf().conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      ...{ status: 'False', reason: 'NotAttested' },
      message: expect.stringContaining('it was not stamped'),
    })
  })
})

test('a change of what its people hold is one write of what is granted, and of the status', async () => {
  const { home, run, holds, read, statusOf } = await setUp()
  await home.declare(anApiKey(SPEC), 'uid-1')
  await home.claim(REF)
  await once(run)
  const before = home.server.writes().length
  holds['ben@example.com'] = ['a:read']
  await once(run)
  const written = home.server.writes().slice(before)
  expect(written.map((one) => one.split('/').at(-1))).toHaveLength(2)
  expect([(await read())?.granted?.cap.held, statusOf().permissions]).toEqual([['a:read'], ['a:read']])
})

test('where other keys wait, what is granted is written at once, and the status after theirs', async () => {
  const { home, run, holds, read, statusOf } = await setUp()
  await home.declare(anApiKey(SPEC), 'uid-1')
  await home.claim(REF)
  await once(run)
  holds['ben@example.com'] = ['a:read']
  expect(await once(run, home.port(), () => true), 'it comes again at once').toBe(run.now)
  expect([(await read())?.granted?.cap.held, statusOf().permissions]).toEqual([['a:read'], PERMISSIONS])
  await once(run, home.port(), () => true)
  expect(statusOf().permissions).toEqual(['a:read'])
})

test('of more than eight who wait, the oldest are asked about', async () => {
  const with8: string[] = []
  const { home, run } = await setUp({
    capWith: async ({ apiKey }, { person }) => {
      with8.push(person.username)
      return { held: apiKey.spec.permissions, within: {} }
    },
  })
  await home.declare(anApiKey({ ...SPEC, state: 'Suspended' }), 'uid-1')
  for (let i = 0; i < 12; i++) await home.claim(REF)
  await once(run)
  expect([with8.length > 0, with8.length % 8]).toEqual([true, 0])
})

test('of those who wait only such as may receive it count, and whoever does has the cap that was asked for', async () => {
  const { home, run, read, answers } = await setUp()
  const held: unknown[] = []
  home.server.onWrite((now, path) => {
    const found = path.includes('/secrets/') && now !== undefined ? readDigestSecret(now).read : undefined
    if (found?.ok === true) held.push(found.value.granted?.cap.held)
  })
  await home.declare(anApiKey(SPEC), 'uid-1')
  for (let i = 0; i < 9; i++) await home.claim(REF, 5)
  await home.claim(REF)
  await once(run)
  expect((await answers()).toSorted()).toEqual(['Delivered', ...Array.from({ length: 9 }, () => 'NotClaimable')])
  expect([(await read())?.secret.current?.version, held.every((one) => String(one) === String(PERMISSIONS))]).toEqual([
    1,
    true,
  ])
})

describe('a stamp with a key that was not read yet', () => {
  const undecided = { code: 'stamp_key_unknown', until: Number.MAX_SAFE_INTEGER }
  const later = { ...NOT_STAMPED, undecided }

  test('of a claim denies nothing, and is looked at again', async () => {
    let known = false
    const ben = { ok: true, value: attested('ben@example.com') } as const
    const { home, run, read, answers, statusOf } = await setUp({ claimantOf: () => (known ? ben : later) })
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    expect(await once(run)).toBe(undecided.until)
    expect([await answers(), statusOf().phase]).toEqual([[undefined], 'Pending'])
    known = true
    await once(run)
    expect((await read())?.secret.current?.claimedBy).toBe('ben@example.com')
  })

  test('of a key neither fails it nor denies its claims', async () => {
    let known = false
    const { home, run, answers, statusOf } = await setUp({
      creatorOf: () => (known ? { ok: true, value: attested('ana@example.com') } : later),
    })
    await home.declare(anApiKey(SPEC), 'uid-1')
    await home.claim(REF)
    await expect(once(run)).rejects.toThrow('stamp_key_unknown')
    expect([await answers(), statusOf()]).toEqual([[undefined], undefined])
    known = true
    await once(run)
    expect(statusOf().phase).toBe('Active')
  })
})

test('who is gone is forgotten', async () => {
  const { home, run, forgotten } = await setUp()
  await home.declare(anApiKey(SPEC), 'uid-1')
  await once(run)
  await home.withdraw(REF)
  await once(run)
  expect(forgotten).toContain('main')
})
