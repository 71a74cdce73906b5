/** What the index is told of, and when: what takes away at once, what gives when it is kept. */
import { describe, expect, test } from 'vitest'
import { type KeyringParts, openKeyring } from '../../src/operator/keyring.ts'
import type { Indexed } from '../../src/resources/key-record.ts'
import { type FakeHome, fakeHome } from '../support/fake-key-port.ts'
import { anApiKey, aSecret, HOUR, NOON } from './make.ts'

const REF = { namespace: 'default', name: 'main' }

/** Over all keyrings of a test: no two draw the same. */
let drawn = 0

function aKeyring(home: FakeHome, over: Partial<KeyringParts> = {}) {
  const index = new Map<string, Indexed>()
  const told: (readonly [uid: string, state: string | undefined, digests: readonly unknown[]])[] = []
  const keyring = openKeyring({
    port: home.port(),
    find: home.find,
    all: () => (home.find(REF) === undefined ? [] : [REF]),
    secretOf: home.secretOf,
    keptNames: () => ['default/main'],
    nowMs: () => NOON,
    random: (count) => {
      drawn += 1
      return new Uint8Array(count).map((_, i) => (drawn * 31 + i * 7) % 248)
    },
    onChange: (uid, indexed) => {
      told.push([
        uid,
        indexed?.record.state,
        [indexed?.current, indexed?.previous?.digest].filter((one) => one !== undefined),
      ])
      if (indexed === undefined) index.delete(uid)
      else index.set(uid, indexed)
    },
    onTrouble: (_ref, error) => {
      throw error
    },
    jitter: () => 0,
    after: () => () => {},
    ...over,
  })
  return { keyring, index, told }
}

const claimed = async (home = fakeHome()): Promise<FakeHome> => {
  home.declare(anApiKey(), 'uid-1')
  const { keyring } = aKeyring(home)
  keyring.load()
  await keyring.idle()
  return home
}

describe('the index', () => {
  test('is told of a new key once its digest is kept, before it is delivered', async () => {
    const home = fakeHome()
    home.declare(anApiKey(), 'uid-1')
    const { keyring, told } = aKeyring(home)
    keyring.reconcile(REF)
    expect(told).toEqual([])
    await keyring.idle()
    const digest = home.secretOf('uid-1')?.current?.digest
    expect(told).toEqual([
      ['uid-1', 'Active', [digest]],
      ['uid-1', 'Active', [digest]],
    ])
  })

  test('has everything in force when load returns', async () => {
    const home = await claimed()
    const { keyring, index } = aKeyring(home)
    keyring.load()
    expect(index.get('uid-1')?.current).toBe(home.secretOf('uid-1')?.current?.digest)
  })

  test('has nothing of a secret that was regenerated away while nobody looked', async () => {
    const home = await claimed()
    home.declare(anApiKey({ regenerate: 1 }), 'uid-1')
    const before = home.secretOf('uid-1')?.current?.digest
    const { keyring, index } = aKeyring(home)
    keyring.load()
    expect(index.get('uid-1')?.current).toBeUndefined()
    await keyring.idle()
    expect(index.get('uid-1')?.current).toBe(home.secretOf('uid-1')?.current?.digest)
    expect(index.get('uid-1')?.current).not.toBe(before)
  })

  test.each([
    ['a suspension', anApiKey({ state: 'Suspended' }), 'Suspended', 1],
    ['a revocation', anApiKey({ state: 'Revoked' }), 'Revoked', 1],
    ['a regeneration without overlap', anApiKey({ regenerate: 1 }), 'Active', 0],
    ['a regeneration with overlap', anApiKey({ regenerate: 1, overlapMs: HOUR }), 'Active', 1],
  ])('knows of %s when reconcile returns, whatever becomes of the store', async (_what, apiKey, state, digests) => {
    const home = await claimed()
    const { keyring, told } = aKeyring(home)
    keyring.load()
    home.declare(apiKey, 'uid-1')
    keyring.reconcile(REF)
    expect(told.at(-1)).toEqual(['uid-1', state, digests === 0 ? [] : [home.secretOf('uid-1')?.current?.digest]])
  })

  test('forgets a deleted key when reconcile returns', async () => {
    const home = await claimed()
    const { keyring, index } = aKeyring(home)
    keyring.load()
    home.withdraw(REF)
    keyring.reconcile(REF)
    expect([...index.keys()]).toEqual([])
    await keyring.idle()
    expect(home.secretOf('uid-1')).toBeUndefined()
  })

  test('forgets a key that was made again under the same name', async () => {
    const home = await claimed()
    const { keyring, index } = aKeyring(home)
    keyring.load()
    home.declare(anApiKey(), 'uid-2')
    keyring.reconcile(REF)
    expect([...index.keys()]).toEqual([])
    await keyring.idle()
    expect([...index.keys()]).toEqual(['uid-2'])
  })

  test('forgets a key even where the one of the same name is in force already', async () => {
    const home = await claimed()
    const { keyring, index } = aKeyring(home)
    keyring.load()
    home.declare(anApiKey(), 'uid-2')
    await home.port().writeSecret(aSecret({ uid: 'uid-2' }), undefined)
    keyring.reconcile(REF)
    expect([...index.keys()]).toEqual(['uid-2'])
  })

  test('knows both secrets within an overlap, and until when the old one works', async () => {
    const home = await claimed()
    const old = home.secretOf('uid-1')?.current?.digest
    home.declare(anApiKey({ regenerate: 1, overlapMs: HOUR }), 'uid-1')
    const { keyring, index } = aKeyring(home)
    keyring.load()
    await keyring.idle()
    expect(index.get('uid-1')).toMatchObject({
      current: home.secretOf('uid-1')?.current?.digest,
      previous: { digest: old, validUntil: NOON + HOUR },
    })
  })
})

test('what is left of keys that went while nobody looked is cleared away at the start', async () => {
  const home = await claimed()
  home.withdraw(REF)
  const { keyring, told } = aKeyring(home)
  keyring.load()
  await keyring.idle()
  expect([home.secretOf('uid-1'), told]).toEqual([undefined, []])
})

test('a key is looked at again when its time comes', async () => {
  const delays: number[] = []
  const home = fakeHome()
  home.declare(anApiKey({ expiresAt: NOON + HOUR }), 'uid-1')
  const { keyring } = aKeyring(home, {
    after: (delayMs) => {
      delays.push(delayMs)
      return () => {}
    },
  })
  keyring.load()
  await keyring.idle()
  expect(delays).toEqual([HOUR])
})

test('nothing more is done once it is stopped', async () => {
  const home = fakeHome()
  const { keyring } = aKeyring(home)
  await keyring.stop()
  home.declare(anApiKey(), 'uid-1')
  keyring.reconcile(REF)
  await keyring.idle()
  expect(home.lines()).toEqual([])
})
