/** Envoy and nginx on their shipped configurations, in front of an authz that watches a cluster without an operator. */
import { beforeAll, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startClusterAuthz } from '../support/cluster-authz.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { startEnvoyGrpc } from '../support/envoy.ts'
import { editSpec, expectOk, type GrantedKey, grantAsDeclared, grantKey } from '../support/granted-keys.ts'
import { startNginx } from '../support/nginx.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { THINGS } from '../support/things.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let upstream: EchoUpstream
let proxies: readonly ShippedProxy[]
/** What may pass from a change on the API server to the last request that is let through. */
const AT_ONCE_MS = 1000

beforeAll(async () => {
  upstream = await startEcho()
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  const { ports } = await startClusterAuthz(cluster)
  const behind = { checkPort: ports.check, grpcPort: ports.grpc, upstreamPort: upstream.port }
  proxies = await Promise.all([startEnvoyGrpc(behind), startNginx(behind)])
  return () => upstream.stop()
}, 120_000)

/** What callers get, one by one: the status, and the code of a refusal. */
const outcomes = (key: string) =>
  Promise.all(
    proxies.map(async ({ port }) => {
      const { status, json } = await ask(`http://127.0.0.1:${port}/things`, { host: 'api.test', key })
      return status === 200 ? '200' : `${status} ${json.code}`
    }),
  )

const comesTo = (key: string, outcome: string) =>
  until(outcome, async () => (await outcomes(key)).every((one) => one === outcome), AT_ONCE_MS)

const patch = (granted: GrantedKey, spec: object) => () => editSpec(cluster, granted, { ...spec })

test.each([
  ['suspend', '401 key_inactive', (key: GrantedKey) => patch(key, { state: 'Suspended' })],
  ['revoke', '401 key_inactive', (key: GrantedKey) => patch(key, { state: 'Revoked' })],
  ['regenerate', '401 invalid_key', (key: GrantedKey) => patch(key, { regenerate: 1 })],
  ['permissions', '403 missing_permission', (key: GrantedKey) => patch(key, { permissions: ['thing:write'] })],
  ['customers', '403 outside_customer', (key: GrantedKey) => patch(key, { customers: ['globex'] })],
  ['addresses', '403 address_not_allowed', (key: GrantedKey) => patch(key, { allowedCIDRs: ['10.0.0.0/8'] })],
  ['delete', '401 invalid_key', (key: GrantedKey) => () => expectOk(cluster, 'DELETE', key.path)],
])('%s is in force at every proxy within a second, without an operator', async (what, outcome, how) => {
  const granted = await grantKey(cluster, `team/${what}`, { permissions: ['thing:read', 'thing:write'] })
  await comesTo(granted.key, '200')
  await how(granted)()
  await comesTo(granted.key, outcome)
  const before = upstream.log.length
  expect(await outcomes(granted.key)).toEqual([outcome, outcome])
  expect(upstream.log.length).toBe(before)
})

test('the end of a key is, by the clock', async () => {
  const { key } = await grantKey(cluster, 'team/short', { expiresAt: new Date(Date.now() + 2000).toISOString() })
  await comesTo(key, '200')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await comesTo(key, '401 key_expired')
})

test('a key that is to do more does so once it is granted; the upstream learns whose it is and nothing of the credential', async () => {
  const granted = await grantKey(cluster, 'team/more', { permissions: ['thing:write'] })
  await comesTo(granted.key, '403 missing_permission')
  await editSpec(cluster, granted, { permissions: ['thing:read', 'thing:write'] })
  const marker = await grantKey(cluster, 'team/marker')
  await comesTo(marker.key, '200')
  expect(await outcomes(granted.key)).toEqual(['403 missing_permission', '403 missing_permission'])
  await grantAsDeclared(cluster, granted)
  await comesTo(granted.key, '200')
  const arrived = upstream.log.at(-1)
  expect(arrived?.header('x-keyward-key-name')).toBe('team/more')
  expect(arrived?.headers.join()).not.toContain(granted.key)
})
