/** `keyward explain`, which reads what a user may read, comes to what authz answers, which reads the digests. */
import { expect, test } from 'vitest'
import type { Policy, Stored } from '../../src/cli/cluster.ts'
import { explainKey } from '../../src/cli/explain-key.ts'
import { decide, type Index } from '../../src/core/decide.ts'
import { makeKeyIndex } from '../../src/enforce/key-index.ts'
import { keptForms } from '../../src/kube/kept-key.ts'
import { makeKeySource } from '../../src/kube/key-source.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { accessNamespaceOf, protectedApiOf } from '../../src/kube/policy.ts'
import { hostsInForce, treeInForce } from '../../src/kube/policy-in-force.ts'
import { makeSetAside } from '../../src/kube/set-aside.ts'
import { seeded } from '../corpus/seeded.ts'
import { type FakeCluster, fakeCluster } from '../support/fake-cli-cluster.ts'
import { NOON } from '../support/make.ts'
import { type RandomKey, type RandomWorld, randomRequest, randomWorld } from '../support/random-world.ts'

const WORLDS = 25
const CASES_EACH = 20

type Which = (key: RandomKey) => KubeObject

/** As authz makes it of the objects that it watches. */
function authzIndex({ namespaces, apis, keys }: RandomWorld, digestSecretOf: Which): Index {
  const setAside = makeSetAside({ warn: () => undefined, info: () => undefined })
  const { keptOf, declaredOf } = keptForms()
  const index = makeKeyIndex()
  const declared = new Map(keys.map(({ apiKey }) => [`team/${apiKey.metadata.name}`, declaredOf(apiKey)]))
  const source = makeKeySource({ keys: index, declared: (name) => declared.get(name), setAside, nowMs: () => NOON })
  for (const digestSecret of keys.map(digestSecretOf))
    source.keptChanged(digestSecret.metadata.name, keptOf(digestSecret), undefined)
  for (const [name, key] of declared) source.declaredChanged(name, key, undefined)
  const nameOf = ({ metadata: { name, namespace } }: KubeObject) =>
    namespace === undefined ? name : `${namespace}/${name}`
  return {
    findKey: index.find,
    hosts: hostsInForce(setAside).compile(apis.map((api) => [nameOf(api), protectedApiOf(api)])),
    tree: treeInForce(setAside).compile(namespaces.map((one) => [nameOf(one), accessNamespaceOf(one)])),
  }
}

/** What a user sees of it. */
function usersCluster({ namespaces, apis, keys }: RandomWorld) {
  const fake = fakeCluster()
  let policy: Policy | undefined
  // of one world it is the same every time
  const cluster: FakeCluster = { ...fake, policyOf: (...read) => (policy ??= fake.policyOf(...read)) }
  const put = (kind: string, objects: readonly KubeObject[]) => {
    for (const object of objects)
      cluster.objects.set(
        `${kind}/${[object.metadata.namespace, object.metadata.name].filter(Boolean).join('/')}`,
        object as Stored,
      )
  }
  put('accessnamespaces', namespaces)
  put('protectedapis', apis)
  put(
    'apikeys',
    keys.map(({ apiKey }) => apiKey),
  )
  return cluster
}

const ABILITY = { removal: true, query: true, filter: true }

test('500 random requests with random keys at random policies: explained as they are answered', async () => {
  const answers = new Map<string, number>()
  const behindUndecided = new Set<string>()
  const draw = seeded(6)
  for (let i = 0; i < WORLDS; i += 1) {
    const world = randomWorld(draw, `w${i}`)
    const cluster = usersCluster(world)
    const index = authzIndex(world, ({ digestSecret }) => digestSecret)
    // what a user does not see: where inside the people behind a key hold its permissions
    const everywhere = authzIndex(world, ({ held }) => held.everywhere)
    const nowhere = authzIndex(world, ({ held }) => held.nowhere)
    for (let n = 0; n < CASES_EACH; n += 1) {
      const { apiKey, credential } = draw.pick(world.keys)
      const { method, host, target, headers, address } = randomRequest(draw)
      const presented = [...headers, 'authorization', `Bearer ${credential}`]
      const request = { method, target, hosts: [host], headers: presented, address, requestId: 'r', pin: undefined }
      const answered = (by: Index) => {
        const ruling = decide({ ...request, ability: ABILITY }, by, NOON)
        return ruling.kind === 'deny' ? ruling.code : 'allow'
      }
      const turnsOnPlaces = answered(everywhere) !== answered(nowhere)
      const question = { method, host, target, headers, address, now: NOON }
      const key = `team/${apiKey.metadata.name}`
      const { answer } = await explainKey(cluster, { key, namespace: 'team', question, self: 'keyward' })
      const expected = turnsOnPlaces ? 'undecided' : answered(index)
      expect([i, n, question, apiKey, answer]).toEqual([i, n, question, apiKey, expected])
      if (answer === 'undecided') behindUndecided.add(answered(index))
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  }
  // a generator that only ever comes to one answer would agree about nothing
  const every = [
    'address_not_allowed',
    'allow',
    'ambiguous_path',
    'ambiguous_request',
    'creator_access_lost',
    'invalid_key',
  ]
  every.push('key_expired', 'key_inactive', 'missing_permission', 'no_route', 'outside_customer', 'outside_namespace')
  every.push('undecided', 'unknown_host', 'wrong_environment')
  expect([...answers.keys()].toSorted()).toEqual(every)
  expect(answers.get('allow')).toBeGreaterThan(25)
  expect(answers.get('undecided')).toBeLessThan(50)
  // whichever it was: it was not guessed
  expect([...behindUndecided].toSorted()).toEqual(['allow', 'ambiguous_request', 'outside_namespace'])
})
