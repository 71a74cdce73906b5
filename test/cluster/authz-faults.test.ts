/** What becomes of decisions when the API server, its past or its kinds are gone. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import { editSpec, expectOk, type GrantedKey, grantKey } from '../support/granted-keys.ts'
import { temporaryFolder } from '../support/process.ts'
import { THINGS } from '../support/things.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let authz: ClusterAuthz
let main: GrantedKey

const STRICT = THINGS.slice(THINGS.indexOf('---'))
  .replace('name: things', 'name: strict')
  .replace('api.test', 'strict.test')
  .replace('  routes:', '  failureMode: {stale: {after: 5s, then: deny}}\n  routes:')
const LONG_MS = 30_000

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  await cluster.apply(STRICT)
  main = await grantKey(cluster, 'team/main')
  authz = await startClusterAuthz(cluster)
}, 120_000)

/** Asks all the time until it is stopped, and tells every outcome but the one that is expected. */
function askingAllTheTime(key: string, expected: string): () => Promise<readonly string[]> {
  const others: string[] = []
  let asking = true
  const done = (async () => {
    while (asking) {
      const outcome = await authz.outcome({ key })
      if (outcome !== expected) others.push(outcome)
    }
  })()
  return async () => {
    asking = false
    await done
    return others
  }
}

test('without the API server all is decided as before, expiry too; where staleness is to be refused it is', async () => {
  const short = await grantKey(cluster, 'team/short', { expiresAt: new Date(Date.now() + 4000).toISOString() })
  await authz.comesTo({ key: short.key }, '200')
  expect(await authz.outcome({ key: main.key, host: 'strict.test' })).toBe('200')
  await cluster.apiServer.kill()
  const stop = askingAllTheTime(main.key, '200')
  await authz.comesTo({ key: short.key }, '401 key_expired', 5000)
  await authz.comesTo({ key: main.key, host: 'strict.test' }, '503 unavailable', 20_000)
  expect(await authz.outcome({ host: 'strict.test' })).toBe('401 missing_credential')
  expect(await authz.outcome({ host: 'strict.test', path: '/healthz' })).toBe('200')
  expect(await authz.metric('keyward_watch_staleness_seconds{resource="secrets"}')).toBeGreaterThan(5)
  expect(await authz.metric('keyward_watch_troubles_total{code="kube_unreachable"}')).toBeGreaterThan(0)
  expect((await ask(`${authz.adminUrl}/readyz`)).status).toBe(200)

  await cluster.apiServer.start()
  const late = await grantKey(cluster, 'team/late')
  await authz.comesTo({ key: late.key }, '200', LONG_MS)
  await authz.comesTo({ key: main.key, host: 'strict.test' }, '200', LONG_MS)
  await until('it says so', () => authz.output().includes('the API server is followed again'))
  expect(await stop()).toEqual([])
})

test('what is revoked while nobody watches is refused as soon as the API server is there again', async () => {
  const victim = await grantKey(cluster, 'team/victim')
  await authz.comesTo({ key: victim.key }, '200')
  const stop = askingAllTheTime(main.key, '200')
  await cluster.apiServer.kill()
  await cluster.apiServer.start()
  await editSpec(cluster, victim, { state: 'Revoked' })
  await authz.comesTo({ key: victim.key }, '401 key_inactive', LONG_MS)
  expect(await stop()).toEqual([])
})

test('of an etcd that was restored from an older copy the older state is in force', async () => {
  const [before, after] = [await grantKey(cluster, 'team/before'), join(temporaryFolder(), 'copy')]
  await authz.comesTo({ key: before.key }, '200')
  await cluster.snapshot(after)
  await editSpec(cluster, before, { state: 'Revoked' })
  const lost = await grantKey(cluster, 'team/lost')
  await authz.comesTo({ key: lost.key }, '200')
  await authz.comesTo({ key: before.key }, '401 key_inactive')
  const stop = askingAllTheTime(main.key, '200')
  await cluster.restore(after)
  await authz.comesTo({ key: lost.key }, '401 invalid_key', LONG_MS)
  await authz.comesTo({ key: before.key }, '200', LONG_MS)
  expect(await stop()).toEqual([])
})

test('a process that starts without the API server is not ready and answers nothing, until it is there', async () => {
  const serviceAccount = await cluster.serviceAccount('keyward-authz')
  await cluster.apiServer.kill()
  const cold = await startClusterAuthz(cluster, { ready: false, serviceAccount })
  await until('it says so', async () => {
    const answer = await ask(`${cold.adminUrl}/readyz`).catch(() => undefined)
    return answer?.status === 503 && answer.text.includes("secrets can't be read: kube unreachable")
  })
  expect(await cold.outcome({ key: main.key })).toBe('503 unavailable')
  expect(await cold.outcome({ path: '/healthz' })).toBe('503 unavailable')
  await cluster.apiServer.start()
  await cold.ready()
  expect(await cold.outcome({ key: main.key })).toBe('200')
  expect(await cold.stop()).toBe(0)
})

test('without its CRDs every key is refused, and once they and the keys are there again they work', async () => {
  const { body } = await cluster.request('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions')
  const { items } = body as { items: { metadata: { name: string }; spec: { names: { kind: string } } }[] }
  const apiKeys = items.find(({ spec }) => spec.names.kind === 'ApiKey')
  if (apiKeys === undefined) throw new Error('there is no CRD of ApiKeys')
  const definition = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions`
  await expectOk(cluster, 'DELETE', `${definition}/${apiKeys.metadata.name}`)
  await authz.comesTo({ key: main.key }, '401 invalid_key', 10_000)
  await until(
    'the definition is gone',
    async () => (await cluster.request('GET', `${definition}/${apiKeys.metadata.name}`)).status === 404,
    LONG_MS,
  )
  const { name } = apiKeys.metadata
  await expectOk(cluster, 'POST', definition, { ...apiKeys, metadata: { name }, status: undefined })
  await until(
    'it is served',
    async () => (await cluster.request('GET', '/apis/keyward.dev/v1alpha1/apikeys')).status === 200,
    LONG_MS,
  )
  const again = await grantKey(cluster, 'team/again')
  await authz.comesTo({ key: again.key }, '200', LONG_MS)
  expect(await authz.outcome({ key: main.key })).toBe('401 invalid_key')
})
