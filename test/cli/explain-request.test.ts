/** `keyward explain --request-id`: what it tells of then and of now, and what to do where it can't. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import { expect, onTestFinished, test } from 'vitest'
import type { Heard, Stored } from '../../src/cli/cluster.ts'
import { addExplain } from '../../src/cli/explain-command.ts'
import { Refused, Stop } from '../../src/cli/refused.ts'
import { aStoredKey, type FakeCluster, type FakeWish, fakeCluster, fakeTerminal } from '../support/fake-cli-cluster.ts'
import { NOON } from '../support/make.ts'

const ID = 'kw_prod_4fQ0Zp8sLm2T'

const check = (more: object = {}) => ({
  ...{ requestId: 'r-1', at: new Date(NOON - 300_000).toISOString(), listener: 'http' },
  ...{ method: 'PUT', host: 'api.test', path: '/customers', isPart: false },
  ...{ code: 'missing_permission', status: 403, why: 'not among the permissions of the key' },
  ...{ permission: 'customer:write', keyId: ID, key: 'team-web/main', environment: 'production' },
  ...more,
})

const told = (...checks: readonly object[]): Heard => ({ status: 200, body: { checks } })
const nothing: Heard = { status: 404, body: { checks: [] } }

const pod = (
  name: string,
  status: object = { podIP: '10.0.0.7', phase: 'Running' },
  ports?: readonly object[],
): Stored => ({
  metadata: {
    ...{
      name,
      namespace: 'keyward-system',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-11-20T12:00:00Z',
    },
  },
  spec: { containers: [{ name: 'authz', ...(ports !== undefined && { ports }) }] },
  status,
})

const API: Stored = {
  metadata: {
    ...{ name: 'main', namespace: 'team-web', uid: 'api', resourceVersion: '1' },
    creationTimestamp: '2026-11-20T12:00:00Z',
  },
  spec: {
    environments: [{ name: 'production', hosts: ['api.test'] }],
    routes: [{ methods: ['PUT'], path: '/customers', permission: 'customer:write' }],
  },
}

const KEY = {
  spec: { accessNamespace: 'acme', permissions: ['customer:write'] },
  status: {
    ...{ phase: 'Active', keyId: ID, permissions: ['customer:write'], observedGeneration: 1 },
    credential: { version: 1 },
  },
}

function aCluster(pods: NonNullable<FakeWish['pods']>, wish: FakeWish = {}): FakeCluster {
  const cluster = fakeCluster({ ...wish, pods })
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main', KEY))
  cluster.objects.set('protectedapis/team-web/main', API)
  cluster.objects.set('accessnamespaces/acme', {
    metadata: { name: 'acme', uid: 'acme', resourceVersion: '1', creationTimestamp: '2026-11-20T12:00:00Z' },
    spec: { type: 'organization' },
  })
  for (const name of Object.keys(pods)) cluster.objects.set(`pods/keyward-system/${name}`, pod(name))
  return cluster
}

async function ran(words: readonly string[], cluster: FakeCluster | Stop) {
  const terminal = fakeTerminal()
  let code: number | undefined
  const program = new Command('keyward').exitOverride()
  addExplain(program, {
    terminal,
    open: async () => {
      if (cluster instanceof Stop) throw cluster
      return cluster
    },
    exit: (value) => {
      code = value
    },
    look: async ({ manifests }) => `there is no folder ${manifests}`,
  })
  await program.parseAsync(['explain', '--request-id', 'r-1', ...words], { from: 'user' })
  return { code, ...terminal.said }
}

async function serving(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('tells what was answered, when and by whom, and what the same would be answered now', async () => {
  const asked: string[] = []
  const cluster = aCluster({
    'authz-a': () => nothing,
    'authz-b': (path) => {
      asked.push(path)
      return told(check())
    },
  })
  expect(await ran([], cluster)).toEqual({
    code: 0,
    err: '',
    out: `403 missing_permission, 5m ago (2026-11-22T11:55:00.000Z), by authz-b (http)
  request      PUT api.test/customers
  key          ${ID} of team-web/main (production)
  why          customer:write: not among the permissions of the key

The same, asked now (query, headers and address of the caller are not kept; --header and --address give them):
200 allowed
  api          team-web/main (production)
  route        spec.routes[0] PUT /customers
  ok  the request can be read in one way, and its host is served
  ok  the key is active
  ok  the key has not expired
  ok  the key is made for this environment
  ok  the caller's address is allowed
  ok  a route matches
  ok  the permission is held: customer:write
  ok  the namespace is within reach
  ok  the customer is in scope
  ok  the list can be narrowed
`,
  })
  expect(asked).toEqual(['/checks/r-1'])
})

test('as JSON it is the same, the newest first', async () => {
  const later = check({
    at: new Date(NOON - 1000).toISOString(),
    code: 'allow',
    status: 200,
    route: 'spec.routes[0] /x',
  })
  const cluster = aCluster({ 'authz-a': () => told(check()), 'authz-b': () => told(later) })
  const { out, code } = await ran(['-o', 'json'], cluster)
  const read = JSON.parse(out) as { readonly checks: readonly unknown[] }
  expect(code).toBe(0)
  expect(read).toMatchObject({
    requestId: 'r-1',
    checks: [
      { from: 'authz-b', code: 'allow', now: { answer: 'allow' } },
      { from: 'authz-a', code: 'missing_permission', keyId: ID, now: { answer: 'allow' } },
    ],
    unasked: [],
  })
  expect((await ran(['-o', 'yaml'], cluster)).out).toMatch(/^requestId: r-1$/m)
})

test.each([
  ['nobody knows the key', check({ keyId: undefined, key: undefined, code: 'invalid_key' }), undefined],
  ['not all of the request is kept', check({ isPart: true }), 'not to be said, since not all of the request is kept'],
  [
    'the key is gone',
    check({ keyId: 'kw_prod_000000000000' }),
    'no ApiKey that the operator has looked at has the key ID kw_prod_000000000000',
  ],
])('says why there is no now where %s', async (_why, one, words) => {
  const { code, out } = await ran([], aCluster({ 'authz-a': () => told(one) }))
  expect(code).toBe(0)
  if (words === undefined) expect(out).not.toContain('now')
  else expect(out).toContain(`\nThe same, asked now: ${words}\n`)
})

test('asks only pods that can answer, each at its port', async () => {
  const cluster = aCluster({ 'authz-a': () => nothing })
  const put = (one: Stored) => cluster.objects.set(`pods/keyward-system/${one.metadata.name}`, one)
  put(pod('done', { podIP: '10.0.0.8', phase: 'Succeeded' }))
  put(pod('pending', { phase: 'Pending' }))
  put(pod('../other', { podIP: '10.0.0.9' }))
  const asked: string[] = []
  const refuse = (what: string) => {
    if (what.startsWith('proxy ')) asked.push(what)
    return undefined
  }
  put(pod('moved', undefined, [{ containerPort: 1 }, { name: 'metrics', containerPort: 9191 }]))
  await ran([], Object.assign(aCluster({}, { refuse }), { list: cluster.list }))
  expect(asked).toEqual(['proxy keyward-system/authz-a:9090', 'proxy keyward-system/moved:9191'])
})

test('where nobody knows of it, says what is kept and where to look', async () => {
  const { code, out, err } = await ran([], aCluster({ 'authz-a': () => nothing, 'authz-b': () => nothing }))
  expect([code, out]).toEqual([1, ''])
  expect(err).toBe(`keyward explain: no check of a request with the ID r-1 is known to authz-a, authz-b
  Each process that answers checks keeps its last 8192 refusals of known keys, 4096 refusals without one and 4096 requests that it let pass, until it ends.
  Is it the x-request-id of the answer's headers (requestId in a refusal)? A proxy may draw IDs of its own. Did another replica answer, which is gone, or lies in another Kubernetes namespace (--authz-namespace) or elsewhere (--authz)?
`)
})

const forbidden = new Refused({ status: 403, reason: 'Forbidden', message: 'pods is forbidden' })
const RULES = `a Role there with these rules would allow it: {apiGroups: [""], resources: [pods], verbs: [list]} and {apiGroups: [""], resources: [pods/proxy], verbs: [get]}
  or ask what answers checks directly: kubectl port-forward -n keyward-system POD 9090, and --authz http://127.0.0.1:9090; once for each replica`

test('names the rules that are missing, and the way around', async () => {
  const refuse = (what: string) => (what.startsWith('list pods') ? forbidden : undefined)
  expect(await ran([], aCluster({ 'authz-a': () => nothing }, { refuse }))).toEqual({
    code: 1,
    out: '',
    err: `keyward explain: you may not list pods in the Kubernetes namespace keyward-system\n  ${RULES}\n`,
  })
  const proxy = (what: string) => (what.startsWith('proxy') ? forbidden : undefined)
  expect((await ran([], aCluster({ 'authz-a': () => nothing }, { refuse: proxy }))).err).toBe(
    `keyward explain: authz-a could not be asked: you may not ask it through the API server\n  ${RULES}\n`,
  )
})

test('one that can not be asked keeps nothing from being told, and is named', async () => {
  const away = new Refused({ status: 503, reason: 'ServiceUnavailable', message: 'error trying to reach service' })
  const refuse = (what: string) => (what.includes('authz-a') ? away : undefined)
  const { code, out, err } = await ran(
    [],
    aCluster({ 'authz-a': () => nothing, 'authz-b': () => told(check()) }, { refuse }),
  )
  expect([code, out.split(',')[0]]).toEqual([0, '403 missing_permission'])
  expect(err).toBe(
    'keyward explain: authz-a could not be asked: the API server answered 503: error trying to reach service\n',
  )
})

test('a server without pods is asked by the address of port 9090', async () => {
  const refuse = (what: string) =>
    what.startsWith('list pods') ? new Refused({ status: 404, reason: 'NotFound', message: '' }) : undefined
  const { code, err } = await ran(['--server', 'http://keys.test:8088'], aCluster({}, { refuse }))
  expect([code, err]).toEqual([
    2,
    'keyward explain: --request-id: there are no pods to be asked, as with a standalone: say where port 9090 of what answers checks is, such as --authz http://keys.test:9090\n',
  ])
})

test('without a pod, says where it looked', async () => {
  expect((await ran(['--authz-namespace', 'other'], aCluster({}))).err).toContain(
    'no pod of authz runs in the Kubernetes namespace other (labels app.kubernetes.io/name=keyward,app.kubernetes.io/component=authz)',
  )
})

test('addresses are asked directly, also where there is no cluster', async () => {
  const url = await serving(({ url: path }, response) => {
    response.writeHead(path === '/checks/r-1' ? 200 : 500, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ checks: [check()] }))
  })
  const known = await ran(['--authz', url], aCluster({}))
  expect([known.code, known.out.split('\n')[0]]).toEqual([
    0,
    `403 missing_permission, 5m ago (2026-11-22T11:55:00.000Z), by ${url} (http)`,
  ])
  expect(known.out).toContain('\n200 allowed\n')
  const alone = await ran(['--authz', url], new Stop('there is no kubeconfig', 2))
  expect([alone.code, alone.out.split('\n').slice(-2)]).toEqual([
    0,
    ['The same, asked now: there is no kubeconfig', ''],
  ])
  const folder = await ran(['--authz', url, '--manifests', 'm'], new Stop('not opened'))
  expect([folder.code, folder.out.split('\n').slice(-2)]).toEqual([
    0,
    ['The same, asked now: there is no folder m', ''],
  ])
})

test.each([
  ['something else', 200, 'hello', 'it does not tell of checks: is it port 9090 of an authz or a standalone'],
  ['an older version', 404, 'not here', 'it does not tell of checks'],
  ['a redirect', 302, '', "it can't be reached"],
  ['an error', 500, '', 'it answered 500'],
  ['too much', 200, 'x'.repeat(2_000_000), 'its answer is too long'],
  ['words for a terminal', 200, JSON.stringify({ checks: [{ code: '\u001b[31m' }] }), 'it does not tell of checks'],
])('an address that answers %s is said to', async (_what, status, body, words) => {
  const url = await serving((_request, response) => {
    response.writeHead(status, status === 302 ? { location: '/' } : {}).end(body)
  })
  const { code, out, err } = await ran(['--authz', url], aCluster({}))
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(`${url} could not be asked: ${words}`)
})

test('whatever an answer holds is shown, and obeyed by no terminal', async () => {
  const spoiled = '\u001b]0;owned\u0007\n200 forged'
  const one = check({
    method: spoiled,
    host: spoiled,
    path: spoiled,
    code: spoiled,
    why: spoiled,
    key: spoiled,
    at: spoiled,
  })
  const cluster = aCluster({ 'authz-a': () => told(one) })
  for (const form of ['text', 'json', 'yaml']) {
    const { out } = await ran(['-o', form], cluster)
    expect([form, out]).toEqual([form, expect.not.stringMatching(/\u001b|\u0007|^200 forged/m)])
  }
})

test.each([
  [['--key', 'main'], '--key: or --request-id, which says it: one of them'],
  [['--path', '/'], '--path: or --request-id, which says it: one of them'],
  [['--authz', '127.0.0.1:9090'], '--authz: an address such as http://127.0.0.1:9090 is needed'],
  [['--authz', 'http://me:secret@127.0.0.1'], '--authz: an address such as http://127.0.0.1:9090 is needed'],
  [
    ['--manifests', 'm'],
    '--manifests: with --request-id also --authz is needed, such as --authz http://127.0.0.1:9090',
  ],
  [['--data', 'd'], '--data: goes with --manifests only'],
  [['--authz-namespace', 'a/b'], '--authz-namespace: is no name of a Kubernetes namespace'],
  [['--request-id', 'a b'], '--request-id: 1 to 128 characters of A-Z, a-z, 0-9, ".", "_" and "-" are needed'],
  [['--request-id', `${ID}_${'x'.repeat(49)}`], 'a whole key stands in an argument'],
])('%j is called wrongly', async (words, why) => {
  const { code, out, err } = await ran(words, aCluster({}))
  expect([code, out]).toEqual([2, ''])
  expect(err).toContain(`keyward explain: ${why}`)
  expect(err).not.toContain('secret')
})
