/** Kubernetes namespaces, definitions and all of Keyward that go: nothing is stuck, nothing is made in vain. */
import { expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { claim } from '../support/claimant.ts'
import { startCluster } from '../support/cluster.ts'
import { applyKey, keptKeys, keptOf, untilReady } from '../support/cluster-keys.ts'
import { startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

const cluster = await startCluster({ controllers: true })
const operator = await startOperator(cluster)
await operator.leads()

const namespace = (name: string) =>
  cluster.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const isGone = async (path: string): Promise<boolean> => (await cluster.request('GET', path)).status === 404

test('a Kubernetes namespace that is deleted takes its keys with it, and nothing is made in it meanwhile', async () => {
  await namespace('team')
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      applyKey(cluster, `team/key-${i}`, i % 2 === 0 ? {} : { delivery: { secretName: `secret-${i}` } }),
    ),
  )
  await untilReady(cluster, 'team/key-19', 'Active')
  await untilReady(cluster, 'team/key-18', 'AwaitingClaim')
  const waiting = await claim(cluster, { namespace: 'team', apiKey: 'key-0' })
  await waiting.outcome()
  await cluster.request('DELETE', '/api/v1/namespaces/team')
  await until('the namespace is gone', () => isGone('/api/v1/namespaces/team'), 60_000)
  await until('nothing is kept of its keys', async () => (await keptKeys(cluster)).length === 0, 20_000)
  const troubles = operator
    .output()
    .split('\n')
    .filter((line) => line.includes('"level":"warn"'))
  expect(troubles.length, 'no loop of attempts in a namespace that is going').toBeLessThan(10)
})

test('definitions that are deleted and come back are waited for', async () => {
  await applyKey(cluster, 'before')
  await untilReady(cluster, 'before', 'AwaitingClaim')
  const names = (await cluster.kubectl(['get', 'crd', '-o', 'name'])).stdout
    .split('\n')
    .filter((name) => name.endsWith('.keyward.dev'))
  expect((await cluster.kubectl(['delete', '--wait=true', '--timeout=60s', ...names])).status).toBe(0)
  expect((await ask(`${operator.adminUrl}/livez`)).status).toBe(200)
  expect((await cluster.kubectl(['apply', '-f', 'crds'])).status).toBe(0)
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names])
  await applyKey(cluster, 'after')
  await untilReady(cluster, 'after', 'AwaitingClaim', 60_000)
  // it was deleted together with its definition: what was kept of it is no more
  await until('nothing is left', async () => (await keptOf(cluster, 'before')).length === 0, 20_000)
  expect(operator.output().split('\n').length).toBeLessThan(60)
})

test('all of Keyward is uninstalled with keys still there, and nothing is stuck', async () => {
  await applyKey(cluster, 'last', { delivery: { secretName: 'last' } })
  await untilReady(cluster, 'last', 'Active')
  expect(await operator.stop()).toBe(0)
  const remove = () => cluster.kubectl(['delete', '--wait=true', '--timeout=60s', '-f', 'crds', '-f', 'deploy'])
  const namespaces = ['keyward-system', 'keyward-operator']
  await cluster.kubectl(['annotate', 'namespace', ...namespaces, 'keyward.dev/allow-deletion=yes'])
  expect((await remove()).stderr).toBe('')
  for (const name of namespaces) expect(await isGone(`/api/v1/namespaces/${name}`)).toBe(true)
  // the garbage collector takes what the keys owned
  await until('the Secret is gone', () => isGone('/api/v1/namespaces/default/secrets/last'), 60_000)
})
