/** How long an operator takes to answer the webhooks beside two thousand keys: as the API server calls it, over TLS. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { measureAdmission, quantile, tellAdmission } from '../support/admission-latency.ts'
import { startCluster } from '../support/cluster.ts'
import { WEBHOOKS } from '../support/control-plane.ts'
import { importKeys } from '../support/many-keys.ts'
import { startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'
import { untilAdmitted, webhooksAt } from '../support/webhooks-at.ts'

const KEYS = 2000
const LOAD = { admissions: 600, people: 100, aSecond: 20 }
const P99_WITHIN_MS = 20

test(`${LOAD.admissions} admissions of ${LOAD.people} people beside ${KEYS} keys take 20 ms at most, but for one in a hundred`, async () => {
  const cluster = await startCluster({ admission: 'elsewhere' })
  const operator = await startOperator(cluster)
  const { webhooksPort: port } = operator
  await cluster.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: '127.0.0.1', port }))
  await operator.leads()
  await untilAdmitted(cluster)
  await importKeys(cluster, KEYS)
  await until('all are settled', async () => (await operator.metric('keyward_operator_queue_depth')) === 0, 60_000)

  const figures = await measureAdmission(cluster, operator, LOAD)
  process.stdout.write(`admission beside ${KEYS} keys, ${LOAD.aSecond} a second: ${tellAdmission(figures)}\n`)
  expect(quantile(figures.stampMs, 0.99)).toBeLessThanOrEqual(P99_WITHIN_MS)
  expect(quantile(figures.grantsMs, 0.99)).toBeLessThanOrEqual(P99_WITHIN_MS)
  expect(figures.reviews).toBeGreaterThan(LOAD.admissions)
})
