import { describe, expect, test } from 'vitest'
import type { Cap, HeldAt } from '../../src/core/cap.ts'
import { digestOf, formatDigest } from '../../src/core/credential.ts'
import { makeKeyIndex } from '../../src/enforce/key-index.ts'
import { writeDigestSecret } from '../../src/kube/digest-secret.ts'
import { type DeclaredKey, type KeptKey, keptForms, type Unreadable } from '../../src/kube/kept-key.ts'
import { makeKeySource } from '../../src/kube/key-source.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { makeSetAside } from '../../src/kube/set-aside.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { aCredential, aWholeCap, NOON } from '../support/make.ts'

const SPEC = { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read', 'thing:write'] }
type Spec = Readonly<Record<string, unknown>>

function aCluster(nowMs = () => NOON) {
  const keys = makeKeyIndex()
  const { keptOf, declaredOf } = keptForms()
  const apiKeys = new Map<string, DeclaredKey>()
  const secrets = new Map<string, KeptKey | Unreadable>()
  const told: string[] = []
  const log = { warn: (fields: object) => void told.push(JSON.stringify(fields)), info: () => undefined }
  const setAside = makeSetAside(log)
  const source = makeKeySource({ keys, declared: (name) => apiKeys.get(name), setAside, nowMs })

  const declare = (name: string, uid: string, spec: Spec = SPEC, meta: object = {}): void => {
    const [namespace, own] = name.split('/')
    const now = declaredOf({ metadata: { namespace, name: own, uid, ...meta }, spec } as unknown as KubeObject)
    const before = apiKeys.get(name)
    apiKeys.set(name, now)
    source.declaredChanged(name, now, before)
  }
  const undeclare = (name: string): void => {
    const before = apiKeys.get(name)
    apiKeys.delete(name)
    source.declaredChanged(name, undefined, before)
  }
  /** An edited digest Secret, as anybody could try to write one. */
  const write = (
    secret: KeySecret,
    edit: (object: KubeObject) => KubeObject = (same) => same,
    granted: Spec = SPEC,
    cap: Cap = aWholeCap(SPEC.permissions),
  ) => {
    const written = writeDigestSecret(
      { secret, granted: { generation: 1, spec: granted, cap }, claimants: new Map(), handingTo: undefined },
      { namespace: 'keyward-system', over: undefined },
    ) as KubeObject
    const metadata = { ...written.metadata, creationTimestamp: '2026-11-22T12:00:00Z', uid: 's', resourceVersion: '1' }
    const object = edit({ ...written, metadata })
    const key = `keyward-system/${object.metadata.name}`
    const [now, before] = [keptOf(object), secrets.get(key)]
    secrets.set(key, now)
    source.keptChanged(key, now, before)
    return () => {
      secrets.delete(key)
      source.keptChanged(key, undefined, now)
    }
  }
  return { keys, declare, undeclare, write, told, setAside, source }
}

const aSecret = (name: string, uid: string, seed = name) => {
  const credential = aCredential({ seed })
  const digest = digestOf(credential)
  const current = { version: 1, digest, issuedAt: NOON, claimedBy: 'ana', claimedAt: NOON }
  const secret: KeySecret = {
    keyId: credential.keyId,
    uid,
    name,
    origin: 'minted',
    rotations: 0,
    current,
    previous: undefined,
  }
  return { secret, digest }
}

describe('a key on a cluster', () => {
  test('counts while both its ApiKey and its Secret are there, whichever came first and whichever goes', () => {
    const { keys, declare, undeclare, write } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    const remove = write(secret)
    expect(keys.find(digest)).toBeUndefined()
    declare('team/main', 'u-1')
    expect(keys.find(digest)?.record).toMatchObject({ name: 'team/main', state: 'Active' })
    undeclare('team/main')
    expect(keys.find(digest)).toBeUndefined()
    declare('team/main', 'u-1')
    remove()
    expect([keys.find(digest), keys.size()]).toEqual([undefined, 0])
  })

  test.each([
    ['an ApiKey of another uid', 'team/main', 'u-2'],
    ['an ApiKey of another name', 'team/other', 'u-1'],
  ])('does not count with %s', (_what, name, uid) => {
    const { keys, declare, write } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    write(secret)
    declare(name, uid)
    expect(keys.find(digest)).toBeUndefined()
  })

  test.each([
    ['another type', (object: KubeObject) => ({ ...object, type: 'Opaque' })],
    [
      'the name of another key ID',
      (object: KubeObject) => ({
        ...object,
        metadata: { ...object.metadata, name: 'kw-prod-616161616161616161616161' },
      }),
    ],
    [
      'a label with another uid',
      (object: KubeObject) => ({
        ...object,
        metadata: { ...object.metadata, labels: { 'keyward.dev/api-key-uid': 'u-2' } },
      }),
    ],
    [
      'no word of what was granted',
      (object: KubeObject) => ({ ...object, data: { record: objectData(object).record } }),
    ],
    [
      'no word of how far the people behind the key go',
      (object: KubeObject) => ({
        ...object,
        data: { record: objectData(object).record, granted: btoa(JSON.stringify({ generation: 1, spec: SPEC })) },
      }),
    ],
    ['no record', (object: KubeObject) => ({ ...object, data: {} })],
  ])('opens nothing by a Secret with %s, which is told of and not in the way of others', (_what, edit) => {
    const { keys, declare, write, told, setAside } = aCluster()
    const [forged, good] = [aSecret('team/main', 'u-1'), aSecret('team/good', 'u-3')]
    declare('team/main', 'u-1')
    declare('team/good', 'u-3')
    write(forged.secret, edit)
    write(good.secret)
    expect([keys.find(forged.digest), keys.find(good.digest)?.record.name]).toEqual([undefined, 'team/good'])
    expect([told.length, [...setAside.byKind()]]).toEqual([1, expect.arrayContaining([['Secret', 1]])])
  })

  test('loses at once what its ApiKey takes away, and gets what it gives when the Secret says so', () => {
    const { keys, declare, write } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    write(secret)
    declare('team/main', 'u-1')
    declare('team/main', 'u-1', { ...SPEC, permissions: ['thing:read', 'thing:delete'] })
    expect(keys.find(digest)?.record.asked).toEqual(['thing:read'])
    write(secret, (same) => same, { ...SPEC, permissions: ['thing:read', 'thing:delete'] })
    expect(keys.find(digest)?.record.asked).toEqual(['thing:read', 'thing:delete'])
    declare('team/main', 'u-1', SPEC, { deletionTimestamp: '2026-11-22T12:00:00Z' })
    expect(keys.find(digest)?.record.state).toBe('Deleted')
  })

  test('regenerated without overlap has no secret any more', () => {
    const { keys, declare, write } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    write(secret)
    declare('team/main', 'u-1', { ...SPEC, regenerate: 1 })
    expect(keys.find(digest)).toBeUndefined()
  })

  test('of two Secrets for one uid has the older one, and the other when that is gone', () => {
    const { keys, declare, write } = aCluster()
    const [older, younger] = [aSecret('team/main', 'u-1', 'older'), aSecret('team/main', 'u-1', 'younger')]
    const at = (creationTimestamp: string) => (object: KubeObject) => ({
      ...object,
      metadata: { ...object.metadata, creationTimestamp },
    })
    declare('team/main', 'u-1')
    write(younger.secret, at('2026-11-22T12:00:01Z'))
    const remove = write(older.secret, at('2026-11-22T12:00:00Z'))
    const opens = () => [older, younger].map(({ digest }) => keys.find(digest) !== undefined)
    expect(opens()).toEqual([true, false])
    remove()
    expect(opens()).toEqual([false, true])
  })

  test('that can not be read is set aside until it can', () => {
    const { keys, declare, write, told, setAside } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    write(secret)
    declare('team/main', 'u-1', { ...SPEC, state: 'Frozen' })
    expect([keys.find(digest), setAside.size()]).toEqual([undefined, 1])
    expect(told.join()).toContain('spec.state')
    declare('team/main', 'u-1')
    expect([keys.find(digest)?.record.name, setAside.size()]).toEqual(['team/main', 0])
  })

  test('that a defect of ours stops is set aside by itself: others go on, and it can come again', async () => {
    let broken = false
    const { keys, declare, write, told, source } = aCluster(() => {
      if (broken) throw new RangeError('a defect, with words of its own')
      return NOON
    })
    const [bad, good] = [aSecret('team/bad', 'u-1'), aSecret('team/good', 'u-2')]
    write(bad.secret)
    write(good.secret)
    declare('team/bad', 'u-1')
    declare('team/good', 'u-2')
    broken = true
    declare('team/bad', 'u-1', { ...SPEC, permissions: ['thing:read'] })
    await source.settled()
    expect([keys.find(bad.digest), keys.find(good.digest)?.record.name]).toEqual([undefined, 'team/good'])
    expect(told.map((one) => JSON.parse(one))).toEqual([
      { kind: 'ApiKey', name: 'team/bad', problem: "it can't be worked out: RangeError" },
    ])
    broken = false
    declare('team/bad', 'u-1')
    expect(keys.find(bad.digest)?.record.name).toBe('team/bad')
  })

  test('imported under a new digest has the old one no more', () => {
    const { keys, declare, write } = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    const imported: KeySecret = { ...secret, origin: 'imported' }
    const spec = (seed: string) => ({
      ...SPEC,
      delivery: { keyId: secret.keyId, digest: formatDigest(digestOf(aCredential({ seed }))) },
    })
    write(imported, (same) => same, spec('team/main'))
    declare('team/main', 'u-1', spec('team/main'))
    expect(keys.find(digest)).toBeDefined()
    declare('team/main', 'u-1', spec('another'))
    expect(keys.find(digest)).toBeUndefined()
  })
})

describe('the people behind a key', () => {
  const heldBy = (held: readonly string[], within: Cap['within'] = {}) => {
    const cluster = aCluster()
    const { secret, digest } = aSecret('team/main', 'u-1')
    const write = (cap: Cap) => cluster.write(secret, (same) => same, SPEC, cap)
    write({ held, within })
    cluster.declare('team/main', 'u-1')
    return { ...cluster, write, record: () => cluster.keys.find(digest)?.record }
  }

  test('leave of what it asks for what they hold, from the moment that the Secret says so, and give it back', () => {
    const { record, write } = heldBy(['thing:read'])
    expect([record()?.asked, record()?.held]).toEqual([['thing:read', 'thing:write'], ['thing:read']])
    write({ held: [], within: {} })
    expect([record()?.asked, record()?.held]).toEqual([['thing:read', 'thing:write'], []])
    write({ held: ['thing:read', 'thing:write'], within: {} })
    expect(record()?.held).toEqual(['thing:read', 'thing:write'])
  })

  test('leave no more than its ApiKey still asks for', () => {
    const { record, declare } = heldBy(['thing:read', 'thing:write'])
    declare('team/main', 'u-1', { ...SPEC, permissions: ['thing:write'] })
    expect([record()?.asked, record()?.held]).toEqual([['thing:write'], ['thing:write']])
  })

  test('say where inside its access namespace they hold what', () => {
    const { record } = heldBy(['thing:read'], { 'thing:read': ['acme-eu', 'acme-us'], 'thing:write': 'everywhere' })
    expect(record()?.heldWithin).toEqual(
      new Map<string, HeldAt>([
        ['thing:read', new Set(['acme-eu', 'acme-us'])],
        ['thing:write', 'everywhere'],
      ]),
    )
  })

  test('are held once for all keys of which they leave the same', () => {
    const { keys, declare, write } = aCluster()
    const records = ['a', 'b', 'c'].map((own, i) => {
      const { secret, digest } = aSecret(`team/${own}`, `u-${own}`)
      const places = i === 2 ? ['acme-us'] : ['acme-eu']
      write(secret, (same) => same, SPEC, { held: ['thing:read', 'thing:write'], within: { 'thing:read': places } })
      declare(`team/${own}`, `u-${own}`)
      return keys.find(digest)?.record
    })
    const [a, b, c] = records
    expect(a?.heldWithin).toBeDefined()
    expect([a?.heldWithin === b?.heldWithin, a?.heldWithin === c?.heldWithin]).toEqual([true, false])
    expect(records.every((record) => record?.held === a?.asked)).toBe(true)
  })
})

const objectData = (object: KubeObject) => object.data as Readonly<Record<string, string>>
