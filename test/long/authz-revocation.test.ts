/** Five hundred revocations over several authz without an operator, and what idleness and a watch that was cut do to them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import type { GrantedKey } from '../support/granted-keys.ts'
import { figuresOf, grantKeys, revokeAll, startLoad, tell } from '../support/revocations.ts'
import { THINGS } from '../support/things.ts'

const KEYS = 2000
const IDLE_MS = 15 * 60_000

let cluster: Cluster
let proxy: FaultProxy
let authz: readonly ClusterAuthz[]
let unused: readonly GrantedKey[]

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  unused = await grantKeys(cluster, 'key', KEYS)
  proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
  const env = { KUBERNETES_SERVICE_PORT: String(proxy.port) }
  authz = await Promise.all([1, 2, 3, 4].map(() => startClusterAuthz(cluster, { env })))
}, 300_000)

/** Of keys that nobody has revoked yet. */
function take(count: number): readonly GrantedKey[] {
  const [taken, rest] = [unused.slice(0, count), unused.slice(count)]
  unused = rest
  return taken
}

test('500 revocations, a thousand requests a second going on', async () => {
  const victims = take(500)
  const load = startLoad({ cluster, authz, others: unused, perSecond: 1000 })
  const took = await revokeAll(load, victims)
  tell(`4 authz, ${KEYS} keys`, took)
  expect(figuresOf(took).p99).toBeLessThanOrEqual(500)
  expect(figuresOf(took).max).toBeLessThanOrEqual(1000)
  expect(load.wronglyRefused()).toBe(0)
})

test('after fifteen minutes in which nothing changed', async () => {
  await sleep(IDLE_MS)
  const victims = take(50)
  const load = startLoad({ cluster, authz, others: unused, perSecond: 1000 })
  const took = await revokeAll(load, victims)
  tell('after 15 idle minutes', took)
  expect(figuresOf(took).max).toBeLessThanOrEqual(1000)
})

test('each after the watch was cut and is there again', async () => {
  const victims = take(20)
  const load = startLoad({ cluster, authz, others: unused, perSecond: 1000 })
  const took: number[] = []
  for (const [i, victim] of victims.entries()) {
    proxy.cut()
    await sleep(1500)
    took.push(await load.revoke(victim, i % 2 === 0 ? 'Revoked' : 'delete'))
  }
  tell('after the watch was cut', took)
  expect(figuresOf(took).max).toBeLessThanOrEqual(1000)
  expect(load.wronglyRefused()).toBe(0)
})
