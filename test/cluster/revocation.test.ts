/** From the API server's answer to the last request that is let through, over several authz and without an operator. */
import { expect, test } from 'vitest'
import { startCluster } from '../support/cluster.ts'
import { startClusterAuthz } from '../support/cluster-authz.ts'
import { figuresOf, grantKeys, revokeAll, startLoad, tell } from '../support/revocations.ts'
import { THINGS } from '../support/things.ts'

const KEYS = 2000
const TRIALS = 50

test('a revocation is in force everywhere within half a second, a thousand requests a second going on', async () => {
  const cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  const granted = await grantKeys(cluster, 'key', KEYS)
  const authz = await Promise.all([1, 2, 3, 4].map(() => startClusterAuthz(cluster)))
  const load = startLoad({ cluster, authz, others: granted.slice(TRIALS), perSecond: 1000 })
  const took = await revokeAll(load, granted.slice(0, TRIALS))
  tell(`4 authz, ${KEYS} keys`, took)
  const { p99, max } = figuresOf(took)
  expect(p99).toBeLessThanOrEqual(500)
  expect(max).toBeLessThanOrEqual(1000)
  expect(load.wronglyRefused()).toBe(0)
  expect(load.requests()).toBeGreaterThan(10_000)
})
