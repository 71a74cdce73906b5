/** What the operator says of AccessNamespaces, ProtectedApis and TokenIssuers that came while no webhook was there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { askedBy, auditMark, OPERATOR, writesIn } from '../support/audit.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type Condition, eventsOf } from '../support/cluster-keys.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let operator: Operator

beforeAll(async () => {
  // most of it is refused where the webhooks are in force
  cluster = await startCluster({ admission: 'none' })
  operator = await startOperator(cluster)
  await operator.leads()
})

const GROUP = '/apis/keyward.dev/v1alpha1'

type Policy = {
  readonly metadata: { readonly uid: string; readonly generation: number; readonly creationTimestamp: string }
  readonly status?: {
    readonly observedGeneration?: number
    readonly conditions?: readonly Condition[]
    readonly hosts?: readonly object[]
    readonly hostsSummary?: string
    readonly adapters?: readonly object[]
  }
}

async function apply(path: string, kind: string, spec: object): Promise<Policy> {
  const [, namespace] = /^namespaces\/([^/]+)\//.exec(path) ?? []
  const metadata = { name: path.split('/').at(-1), ...(namespace !== undefined && { namespace }) }
  const answer = await cluster.request(
    'PATCH',
    `${GROUP}/${path}?fieldManager=test&force=true`,
    { apiVersion: 'keyward.dev/v1alpha1', kind, metadata, spec },
    'application/apply-patch+yaml',
  )
  if (answer.status > 201) throw new Error(`${path} was refused: ${JSON.stringify(answer.body)}`)
  return answer.body as Policy
}

const apiPath = (name: string) => `namespaces/default/protectedapis/${name}`
const ROUTE = { methods: ['GET'], path: '/things', permission: 'thing:read' }
const api = (name: string, hosts: readonly string[], more: object = {}) =>
  apply(apiPath(name), 'ProtectedApi', { environments: [{ name: 'production', hosts }], routes: [ROUTE], ...more })
const namespace = (name: string, spec: object) => apply(`accessnamespaces/${name}`, 'AccessNamespace', spec)
const remove = (path: string) => cluster.request('DELETE', `${GROUP}/${path}`)

const conditionOf = (object: Policy, type: string) => object.status?.conditions?.find((one) => one.type === type)

/** Waits until Accepted has this reason, and the status is about the newest spec. */
const untilSaid = (path: string, reason: string): Promise<Policy> =>
  until(
    `${path} is ${reason}`,
    async () => {
      const object = (await cluster.request('GET', `${GROUP}/${path}`)).body as Policy
      const current = object.status?.observedGeneration === object.metadata?.generation
      return current && conditionOf(object, 'Accepted')?.reason === reason ? object : undefined
    },
    10_000,
  )

/** Who came first is told by the second. */
const aSecondLater = ({ metadata: { creationTimestamp } }: Policy) =>
  until('the next second', () => Date.now() >= Date.parse(creationTimestamp) + 1000)

describe('of two ProtectedApis with one host', () => {
  test('the first goes on, the later is told so, and gets it once the first is gone', async () => {
    const first = await api('z-first', ['api.test'])
    expect((await untilSaid(apiPath('z-first'), 'Accepted')).status).toMatchObject({
      hosts: [{ host: 'api.test', uid: first.metadata.uid, holder: 'default/z-first' }],
      hostsSummary: 'api.test',
    })
    await aSecondLater(first)
    const later = await api('a-later', ['own.test', 'api.test'])
    const lost = await untilSaid(apiPath('a-later'), 'HostConflict')
    expect(lost.status).toMatchObject({
      hosts: [
        { host: 'own.test', uid: later.metadata.uid, holder: 'default/a-later' },
        { host: 'api.test', uid: first.metadata.uid, holder: 'default/z-first' },
      ],
      hostsSummary: 'own.test (1 of 2)',
    })
    expect([conditionOf(lost, 'Accepted')?.status, conditionOf(lost, 'HostConflict')?.status]).toEqual([
      'False',
      'True',
    ])
    const { stdout } = await cluster.kubectl(['get', 'papi', '--no-headers'])
    expect(stdout).toMatch(/a-later\s+own\.test \(1 of 2\)\s+False/)
    expect(stdout).toMatch(/z-first\s+api\.test\s+True/)
    const told = await until('an event', async () =>
      (await eventsOf(cluster)).find(({ reason }) => reason === 'HostConflict'),
    )
    expect(JSON.stringify(told)).toContain('it already belongs to ProtectedApi default/z-first')

    await remove(apiPath('z-first'))
    const won = await untilSaid(apiPath('a-later'), 'Accepted')
    expect([won.status?.hostsSummary, conditionOf(won, 'HostConflict')]).toEqual(['own.test, api.test', undefined])
  })
})

test('a ProtectedApi says which adapters can serve which of its routes', async () => {
  const list = {
    ...{ methods: ['GET'], path: '/workspaces', permission: 'workspace:read' },
    ...{ resource: 'workspace', reach: { application: 'within' } },
  }
  const refuses = async (narrow: object) => {
    const routes = [ROUTE, { ...list, narrow }]
    await api('lists', ['lists.test'], { routes })
    return (await untilSaid(apiPath('lists'), 'Accepted')).status?.adapters
  }
  const [filter, query] = ['GET /workspaces: narrow.filter', 'GET /workspaces: narrow.query']
  expect(await refuses({ filter: { items: '/items', id: '/id' } })).toEqual([
    { name: 'ReverseProxy', serves: 2 },
    { name: 'EnvoyGRPC', serves: 1, refuses: [filter] },
    { name: 'HTTPCheck', serves: 1, refuses: [filter] },
  ])
  expect(await refuses({ query: 'id' })).toEqual([
    { name: 'ReverseProxy', serves: 2 },
    { name: 'EnvoyGRPC', serves: 2 },
    { name: 'HTTPCheck', serves: 1, refuses: [query] },
  ])
  const { stdout } = await cluster.kubectl(['describe', 'papi', 'lists'])
  expect(stdout).toMatch(/Name:\s+HTTPCheck\s+Refuses:\s+GET \/workspaces: narrow\.query\s+Serves:\s+1/)
  await remove(apiPath('lists'))
})

describe('an AccessNamespace', () => {
  test('is accepted once its parent is', async () => {
    await namespace('web', { type: 'application', parent: 'acme' })
    const alone = await untilSaid('accessnamespaces/web', 'ParentMissing')
    expect(conditionOf(alone, 'Accepted')).toMatchObject({
      status: 'False',
      message: 'spec.parent: there is no AccessNamespace acme',
    })
    const described = await until('its event is shown', async () => {
      const { stdout } = await cluster.kubectl(['describe', 'accessnamespace', 'web'])
      return stdout.includes('ParentMissing  ') && stdout.includes('Events:') ? stdout : undefined
    })
    expect(described).toMatch(/Warning\s+ParentMissing.*spec\.parent: there is no AccessNamespace acme/)
    await namespace('acme', { type: 'organization' })
    expect(conditionOf(await untilSaid('accessnamespaces/web', 'Accepted'), 'Accepted')?.status).toBe('True')
    await untilSaid('accessnamespaces/acme', 'Accepted')
  })

  test('with the external id of an older one is not accepted until it has another', async () => {
    const older = await namespace('z-older', { type: 'organization', externalId: 'one' })
    await aSecondLater(older)
    await namespace('a-younger', { type: 'organization', externalId: 'one' })
    await untilSaid('accessnamespaces/a-younger', 'ExternalIdTaken')
    await untilSaid('accessnamespaces/z-older', 'Accepted')
    await namespace('a-younger', { type: 'organization', externalId: 'two' })
    await untilSaid('accessnamespaces/a-younger', 'Accepted')
  })
})

test('tying routes are not accepted, and are said to have no host', async () => {
  await api('tying', ['tie.test'])
  await untilSaid(apiPath('tying'), 'Accepted')
  await api('tying', ['tie.test'], { routes: [ROUTE, ROUTE] })
  const { status, metadata } = await untilSaid(apiPath('tying'), 'RoutesTie')
  const { hosts, hostsSummary, adapters } = status ?? {}
  expect([hosts, hostsSummary, adapters, metadata.generation]).toEqual([undefined, undefined, undefined, 2])
})

test('a TokenIssuer that is named is missed until it is there', async () => {
  await api('tokens', ['tokens.test'], { tokens: [{ issuer: 'id' }] })
  const warned = await untilSaid(apiPath('tokens'), 'AcceptedWithWarnings')
  expect(conditionOf(warned, 'Accepted')).toMatchObject({
    status: 'True',
    message: expect.stringContaining('there is no such TokenIssuer'),
  })
  await apply('tokenissuers/id', 'TokenIssuer', {
    issuer: 'https://id.test',
    audiences: ['shop'],
    jwksUri: 'https://id.test/jwks',
    algorithms: ['ES256'],
    claims: { accessNamespace: 'ns', permissions: 'permissions' },
  })
  await untilSaid('tokenissuers/id', 'Accepted')
  await untilSaid(apiPath('tokens'), 'Accepted')
})

describe('what is right', () => {
  test('is not written again at a new start; what was spoiled is', async () => {
    await operator.stop()
    const path = 'accessnamespaces/acme'
    await cluster.request('PATCH', `${GROUP}/${path}/status`, { status: null }, 'application/merge-patch+json')
    const mark = auditMark(cluster)
    operator = await startOperator(cluster)
    await operator.leads()
    await untilSaid(path, 'Accepted')
    await namespace('last', { type: 'organization' })
    await untilSaid('accessnamespaces/last', 'Accepted')
    const writes = writesIn(askedBy(cluster, OPERATOR, mark))
    expect(writes.map(({ verb, resource, name, code }) => `${verb} ${resource} ${name} ${code}`)).toEqual([
      'patch accessnamespaces/status acme 200',
      'patch accessnamespaces/status last 200',
    ])
  })

  test('needs nothing that the operator may not do, and was written no more often than it changed', () => {
    const asked = askedBy(cluster, OPERATOR)
    expect(asked.filter(({ code }) => code === 401 || code === 403)).toEqual([])
    const writes = writesIn(asked).filter(({ resource, code }) => resource === 'protectedapis/status' && code === 200)
    expect(writes.filter(({ name }) => name === 'a-later')).toHaveLength(2)
    expect(writes.filter(({ name }) => name === 'z-first')).toHaveLength(1)
  })
})
