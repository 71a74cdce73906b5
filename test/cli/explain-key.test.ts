/** `keyward explain` on a server: what it finds, and that it says what it could not see. */
import { describe, expect, test } from 'vitest'
import type { Stored } from '../../src/cli/cluster.ts'
import { formatExplanation } from '../../src/cli/explain.ts'
import { explainKey } from '../../src/cli/explain-key.ts'
import { Refused } from '../../src/cli/refused.ts'
import { aStoredKey, type FakeWish, fakeCluster } from '../support/fake-cli-cluster.ts'
import { NOON } from '../support/make.ts'

const ID = 'kw_prod_4fQ0Zp8sLm2T'

const stored = (name: string, namespace: string | undefined, spec: object): Stored => ({
  metadata: { name, namespace, uid: `uid of ${name}`, resourceVersion: '1', creationTimestamp: '2026-11-20T12:00:00Z' },
  spec,
})

const API = stored('main', 'team-web', {
  environments: [{ name: 'production', hosts: ['api.test'] }],
  routes: [
    { methods: ['GET'], path: '/customers', permission: 'customer:read' },
    { methods: ['PUT'], path: '/customers', permission: 'customer:write' },
    {
      methods: ['GET'],
      path: '/workspaces',
      permission: 'customer:read',
      resource: 'workspace',
      reach: { application: 'within' },
      narrow: { upstream: true },
    },
    {
      methods: ['POST'],
      path: '/workspaces',
      permission: 'customer:read',
      resource: 'workspace',
      reach: { application: 'within' },
    },
    {
      methods: ['GET'],
      path: '/workspaces/{id}',
      permission: 'customer:read',
      resource: 'workspace',
      id: 'id',
      reach: { application: 'within' },
    },
    {
      methods: ['GET'],
      path: '/found',
      permission: 'customer:read',
      resource: 'workspace',
      reach: { application: 'within' },
      narrow: { query: 'id' },
    },
  ],
})

const ACTIVE = {
  phase: 'Active',
  keyId: ID,
  permissions: ['customer:read'],
  observedGeneration: 1,
  credential: { version: 1 },
  withheld: [{ permission: 'customer:write', since: '2026-11-22T11:00:00Z', because: ['ana@example.com', 'ben'] }],
  conditions: [{ type: 'WithinCreatorAccess', status: 'False', reason: 'AccessLost', message: 'lost' }],
}

const KEY = { spec: { accessNamespace: 'acme-web', permissions: ['customer:read', 'customer:write'] }, status: ACTIVE }

function aCluster(key: Parameters<typeof aStoredKey>[1] = KEY, wish: FakeWish = {}) {
  const cluster = fakeCluster(wish)
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main', key))
  cluster.objects.set('protectedapis/team-web/main', API)
  cluster.objects.set('accessnamespaces/acme', stored('acme', undefined, { type: 'organization' }))
  cluster.objects.set(
    'accessnamespaces/acme-web',
    stored('acme-web', undefined, { type: 'application', parent: 'acme' }),
  )
  return cluster
}

const asking = (key: string | undefined, more: object = {}) => ({
  key,
  namespace: 'team-web',
  self: 'keyward',
  question: {
    method: 'GET',
    host: 'api.test',
    target: '/customers',
    headers: [],
    address: undefined,
    now: NOON,
    ...more,
  },
})

/** Refuses to list these kinds everywhere, or `kind namespace`. */
const refusing = (...lists: readonly string[]): FakeWish => ({
  refuse: (what) =>
    lists.some((one) => what === `list ${one}`)
      ? new Refused({ status: 403, reason: 'Forbidden', message: 'no' })
      : undefined,
})

test.each([['main'], ['team-web/main'], [ID]])('finds a key by %s', async (key) => {
  expect(await explainKey(aCluster(), asking(key))).toMatchObject({
    answer: 'allow',
    api: 'team-web/main',
    route: 'spec.routes[0] GET /customers',
    unseen: [],
  })
})

test.each([
  ['nobody', 1, 'there is no ApiKey nobody in the Kubernetes namespace team-web'],
  ['kw_prod_000000000000', 1, 'no ApiKey that the operator has looked at has the key ID kw_prod_000000000000'],
  ['kw_prod_1', 2, '--key: "kw_prod_1" is no key ID such as kw_prod_4fQ0Zp8sLm2T'],
  ['a/b/c', 2, '--key: "a/b/c" is no name, no namespace/name and no key ID'],
])('%s is not there, or no name', async (key, exitCode, message) => {
  await expect(explainKey(aCluster(), asking(key))).rejects.toMatchObject({
    exitCode,
    message: expect.stringContaining(message),
  })
})

test('who may not list all ProtectedApis is shown those where the key lies, unless -n names others', async () => {
  const cluster = aCluster(KEY, refusing('protectedapis everywhere'))
  for (const key of ['team-web/main', ID])
    expect((await explainKey(cluster, { ...asking(key), namespace: 'default' })).answer).toBe('allow')
  await expect(explainKey(cluster, { ...asking('team-web/main'), apisIn: 'default' })).rejects.toThrow(
    'no ProtectedApi of the Kubernetes namespace default serves this host',
  )
})

test('who may not list all keys is shown those of the namespace, and told so', async () => {
  const cluster = aCluster(KEY, refusing('apikeys everywhere'))
  expect((await explainKey(cluster, asking(ID))).answer).toBe('allow')
  await expect(explainKey(cluster, asking('kw_prod_000000000000'))).rejects.toThrow(
    'no ApiKey of the Kubernetes namespace team-web (you may not list those of others) has the key ID',
  )
})

test('an ID that two keys have in their status is nobody by itself', async () => {
  const cluster = aCluster()
  cluster.objects.set('apikeys/team-web/other', aStoredKey('other', { status: { keyId: ID } }))
  await expect(explainKey(cluster, asking(ID))).rejects.toThrow(
    `several ApiKeys say that ${ID} is theirs: team-web/main, team-web/other; name one of them`,
  )
})

test('a permission that its people lost is said with since when and because of whom', async () => {
  const explained = await explainKey(aCluster(), asking('main', { method: 'PUT' }))
  expect(explained.answer).toBe('creator_access_lost')
  expect(formatExplanation(explained)).toContain(
    'NO  the permission is held: customer:write: held by the key, not by its people; not held by ana@example.com and ben since 2026-11-22T11:00:00Z (for 60m)\n',
  )
})

test('without a key nothing is presented', async () => {
  expect((await explainKey(aCluster(), asking(undefined))).answer).toBe('missing_credential')
})

test.each([
  [
    'nobody has claimed',
    { ...ACTIVE, phase: 'Pending', credential: undefined },
    /nobody has a secret of it that is good/,
  ],
  ['nobody has looked at', undefined, /^the operator has not looked at the key yet/],
])('a key that %s opens nothing', async (_what, status, why) => {
  const explained = await explainKey(
    aCluster({ ...KEY, ...(status && { status }), ...(!status && { status: {} }) }),
    asking('main'),
  )
  expect(explained.answer).toBe('invalid_key')
  expect(explained.rows.at(-1)?.why).toMatch(why)
})

test('one that was regenerated without an overlap opens nothing, before the operator has looked', async () => {
  const cut = { ...KEY, spec: { ...KEY.spec, regenerate: 1 }, generation: 2 }
  expect((await explainKey(aCluster(cut), asking('main'))).answer).toBe('invalid_key')
  const left = { ...KEY, spec: { ...KEY.spec, regenerate: 1, overlap: '1h' }, generation: 2 }
  const explained = await explainKey(aCluster(left), asking('main'))
  expect(explained.answer).toBe('allow')
  expect(explained.unseen).toEqual([expect.stringMatching(/^what the last change of the key gives: /)])
})

describe('where its people hold a permission inside the access namespace stands on no key', () => {
  const places = 'where inside acme-web everybody behind the key may grant customer:read'
  const eu = stored('acme-web-eu', undefined, { type: 'workspace', parent: 'acme-web', externalId: 'eu-1' })

  function withWorkspaces(workspaces: readonly Stored[], conditions: readonly object[] = ACTIVE.conditions) {
    const cluster = aCluster({ ...KEY, status: { ...ACTIVE, conditions } })
    for (const one of workspaces) cluster.objects.set(`accessnamespaces/${one.metadata.name}`, one)
    return cluster
  }

  test.each([
    ['one resource', '/workspaces/eu-1'],
    ['a list in a query', '/found'],
  ])('so that %s is undecided, and said is what it turns on', async (_what, target) => {
    const explained = await explainKey(withWorkspaces([eu]), asking('main', { target }))
    expect([explained.answer, explained.status]).toEqual(['undecided', undefined])
    expect(explained.unseen).toEqual([
      `${places} (everywhere: allow; nowhere: outside_namespace; at all places but one: outside_namespace)`,
    ])
    expect(explained.rows.at(-1)).toMatchObject({ check: 'the permission is held', passed: true })
    expect(formatExplanation(explained)).toMatch(/^undecided\n/)
  })

  test.each([
    ['a list that the upstream cuts', { target: '/workspaces' }, 'allow', [`${places}: what is visible may be less`]],
    ['what is made, which is bound to no place yet', { target: '/workspaces', method: 'POST' }, 'allow', []],
    ['one that is not inside', { target: '/workspaces/us-1' }, 'outside_namespace', []],
    ['a route that does not reach inside', { target: '/customers' }, 'allow', []],
  ])('but %s is decided', async (_what, more, answer, unseen) => {
    expect(await explainKey(withWorkspaces([eu]), asking('main', more))).toMatchObject({ answer, unseen })
  })

  test('a list that is too long where it is not the whole is undecided too', async () => {
    const many = Array.from({ length: 50 }, (_, i) => {
      const name = `w${i}`
      return stored(name, undefined, { type: 'workspace', parent: 'acme-web', externalId: `${name}-`.padEnd(100, 'x') })
    })
    expect(await explainKey(withWorkspaces(many), asking('main', { target: '/workspaces' }))).toMatchObject({
      answer: 'undecided',
      unseen: [`${places} (everywhere: allow; at all places but one: narrowing_unavailable)`],
    })
  })

  test('with nothing inside, or in a standalone, which has no people, there is nothing unseen', async () => {
    const nothing = withWorkspaces([])
    expect(await explainKey(nothing, asking('main', { target: '/workspaces' }))).toMatchObject({
      answer: 'allow',
      unseen: [],
    })
    const free = withWorkspaces([eu], [{ type: 'WithinCreatorAccess', status: 'True', reason: 'NotCapped' }])
    expect(await explainKey(free, asking('main', { target: '/workspaces/eu-1' }))).toMatchObject({
      answer: 'allow',
      unseen: [],
    })
  })
})

test('who may not list the AccessNamespaces is told as far as it goes without them', async () => {
  const cluster = aCluster(KEY, refusing('accessnamespaces everywhere'))
  const explained = await explainKey(cluster, asking('main'))
  expect([explained.answer, explained.status]).toEqual(['undecided', undefined])
  expect(formatExplanation(explained)).toContain(
    'not to be seen from here:\n  ?   whether the namespace is within reach',
  )
  expect((await explainKey(cluster, asking('main', { method: 'PUT' }))).answer).toBe('creator_access_lost')
})

test('who may not list all ProtectedApis is told of those of the namespace, and never that nobody serves the host', async () => {
  const cluster = aCluster(KEY, refusing('protectedapis everywhere'))
  expect((await explainKey(cluster, asking('main'))).answer).toBe('allow')
  await expect(explainKey(cluster, asking('main', { host: 'other.test' }))).rejects.toThrow(
    'no ProtectedApi of the Kubernetes namespace team-web serves this host, and you may not list those of others',
  )
  const nothing = aCluster(KEY, refusing('protectedapis everywhere', 'protectedapis team-web'))
  await expect(explainKey(nothing, asking('main'))).rejects.toBeInstanceOf(Refused)
})

test('what is set aside may be in force as it was before, and that is said', async () => {
  const cluster = aCluster()
  cluster.objects.set('protectedapis/team-web/odd', stored('odd', 'team-web', { environments: 'x\u001b' }))
  expect((await explainKey(cluster, asking('main'))).unseen).toEqual([])
  const { answer, unseen } = await explainKey(cluster, asking('main', { host: 'odd.test' }))
  expect([answer, unseen]).toEqual([
    'unknown_host',
    [expect.stringMatching(/^what was in force before of ProtectedApi team-web\/odd: spec\.environments: /)],
  ])
})
