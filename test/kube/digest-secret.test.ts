/** The stored form of a key's digests: what is written is read back, and whatever does not agree with itself is not. */
import { describe, expect, test } from 'vitest'
import {
  type DigestRead,
  digestSecretName,
  keyIdOfName,
  readDigestSecret,
  writeDigestSecret,
} from '../../src/kube/digest-secret.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { aKeyId, aSecret } from '../operator/make.ts'

const KEY_ID = aKeyId('m')
const cap = { held: ['a:b'], within: { 'a:b': ['acme-web'], 'a:c': 'everywhere' } } as const
const granted = { generation: 3, spec: { permissions: ['a:b'], state: 'Active' }, cap }
const person = { username: 'ben', uid: 'u-1', groups: ['devs'], extra: { scopes: ['a'] } }
const claimants = new Map([[1, { person, at: 1_795_348_800_000 }]])
const handingTo = { kind: 'claim', name: 'main-1', uid: 'claim-uid', claimant: 'ben' } as const

const stored = (over: Partial<Parameters<typeof writeDigestSecret>[0]> = {}): KubeObject => {
  const written = writeDigestSecret(
    { secret: aSecret(), granted, claimants, handingTo, ...over },
    { namespace: 'own', over: undefined },
  )
  const metadata = {
    ...(written.metadata as object),
    uid: 'secret-uid',
    resourceVersion: '7',
    creationTimestamp: '2026-11-22T12:00:00Z',
  }
  return { ...written, metadata } as KubeObject
}

const withMeta = (object: KubeObject, meta: object): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...meta },
})
const withData = (object: KubeObject, data: object): KubeObject => ({
  ...object,
  data: { ...(object.data as object), ...data },
})
const problemOf = ({ read }: DigestRead): string | undefined => (read.ok ? undefined : read.problem)

describe('the name', () => {
  test('is a DNS name from which the key ID is told again', () => {
    expect(digestSecretName(KEY_ID)).toBe('kw-prod-6d6d6d6d6d6d6d6d6d6d6d6d')
    expect(keyIdOfName('kw-prod-6d6d6d6d6d6d6d6d6d6d6d6d')).toBe('kw_prod_mmmmmmmmmmmm')
  })

  test('keeps upper and lower case apart', () => {
    expect(digestSecretName(aKeyId('M'))).not.toBe(digestSecretName(aKeyId('m')))
  })

  test.each([
    ['of something else', 'kw-prod-zz'],
    ['of letters that no key ID has', `kw-prod-${'2d'.repeat(12)}`],
    ['of an environment that there is none of', `kw-test-${'6d'.repeat(12)}`],
    ['in capitals', `kw-prod-${'6D'.repeat(12)}`],
  ])('%s is the name of no key ID', (_what, name) => {
    expect(keyIdOfName(name)).toBeUndefined()
  })
})

describe('what was written', () => {
  test('is read back', () => {
    expect(readDigestSecret(stored())).toEqual({
      object: { name: 'kw-prod-6d6d6d6d6d6d6d6d6d6d6d6d', uid: 'secret-uid', resourceVersion: '7' },
      apiKeyUid: 'uid-1',
      keyId: 'kw_prod_mmmmmmmmmmmm',
      apiKeyName: 'default/main',
      createdAt: '2026-11-22T12:00:00Z',
      read: { ok: true, value: { secret: aSecret(), granted, claimants, handingTo } },
    })
  })

  test('goes over the one that was read and no other', () => {
    const over = { name: 'x', uid: 'secret-uid', resourceVersion: '7' }
    const { metadata } = writeDigestSecret(
      { secret: aSecret(), granted, claimants, handingTo: undefined },
      { namespace: 'own', over },
    )
    expect(metadata).toMatchObject({ uid: 'secret-uid', resourceVersion: '7' })
  })

  test('says that it is ours, of which type, and holds nothing but digests', () => {
    const { type, metadata, data } = stored({ granted: undefined, claimants: new Map(), handingTo: undefined })
    expect({ type, labels: metadata.labels, annotations: metadata.annotations }).toEqual({
      type: 'keyward.dev/key-digest',
      labels: { 'app.kubernetes.io/managed-by': 'keyward', 'keyward.dev/api-key-uid': 'uid-1' },
      annotations: { 'keyward.dev/api-key': 'default/main' },
    })
    expect(Object.keys(data as object)).toEqual(['record'])
  })
})

describe('a digest Secret is not read', () => {
  test.each<[string, KubeObject, string]>([
    ['of another type', { ...stored(), type: 'Opaque' }, 'its type is not keyward.dev/key-digest'],
    [
      'under the name of another key',
      withMeta(stored(), { name: digestSecretName(aKeyId('x')) }),
      'its name is not that of its key ID',
    ],
    [
      'under the label of another ApiKey',
      withMeta(stored(), { labels: { 'keyward.dev/api-key-uid': 'uid-2' } }),
      'its label keyward.dev/api-key-uid says another uid',
    ],
    [
      'without a label',
      withMeta(stored(), { labels: undefined }),
      'its label keyward.dev/api-key-uid says another uid',
    ],
    ['without data', { ...stored(), data: undefined }, 'record: not JSON'],
    ['with claimants that we did not write', withData(stored(), { claimants: btoa('[]') }), 'claimants: not as'],
    ['with a record that we did not write', withData(stored(), { record: btoa('{}') }), 'record: format'],
  ])('%s', (_what, object, problem) => {
    expect(problemOf(readDigestSecret(object))).toContain(problem)
  })

  test('and still says what is to be found out about it', () => {
    const { apiKeyUid, keyId, apiKeyName } = readDigestSecret(withData(stored(), { record: btoa('{}') }))
    expect([apiKeyUid, keyId, apiKeyName]).toEqual(['uid-1', 'kw_prod_mmmmmmmmmmmm', 'default/main'])
  })
})

test.each([
  ['no JSON', btoa('{')],
  ['a list', btoa('[]')],
  ['no spec', btoa('{"generation":1}')],
  ['no text', 7],
  ['without a cap', btoa('{"generation":1,"spec":{}}')],
  ['with half a cap', btoa('{"generation":1,"spec":{},"cap":{"held":["a:b"]}}')],
  ['with a cap that holds no words', btoa('{"generation":1,"spec":{},"cap":{"held":[7],"within":{}}}')],
  ['with places that are none', btoa('{"generation":1,"spec":{},"cap":{"held":[],"within":{"a:b":"here"}}}')],
])('a grant that is %s is none: the key opens nothing', (_what, grant) => {
  const { read } = readDigestSecret(withData(stored(), { granted: grant }))
  expect(read.ok && read.value.granted).toBeUndefined()
})

test.each([
  ['no JSON', '{'],
  ['of no kind', '{"name":"x","claimant":"y"}'],
  ['without an attempt', '{"kind":"workloadSecret","name":"x","claimant":"y"}'],
])('a recipient that is %s is none: the version is minted again', (_what, text) => {
  const { read } = readDigestSecret(withMeta(stored(), { annotations: { 'keyward.dev/handing-to': text } }))
  expect(read.ok && read.value.handingTo).toBeUndefined()
})
