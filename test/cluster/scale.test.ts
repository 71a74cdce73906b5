/** Two thousand keys that are there before the operator is, and what admission takes beside them. */
import { beforeAll, expect, test } from 'vitest'
import { measureAdmission, quantile, tellAdmission } from '../support/admission-latency.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { keptKeys } from '../support/cluster-keys.ts'
import { importKeys } from '../support/many-keys.ts'
import { startOperator } from '../support/operator.ts'
import { measureScale, untilSettled } from '../support/operator-scale.ts'

const KEYS = 2000
const LOAD = { admissions: 200, people: 40, aSecond: 20 }
/** With room for a machine that does other things too; `test/long/admission-latency.test.ts` holds 20 ms, of all but one in a hundred. */
const NEARLY_ALL_WITHIN_MS = 100

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster()
  await importKeys(cluster, KEYS)
})

test('are all in force within 30 s of its first start; its next start writes nothing', async () => {
  const { reconciledS, quietS, writesWhenSettled, rssMiB } = await measureScale(cluster, KEYS, 60_000)
  process.stdout.write(
    `operator, ${KEYS} keys: ${reconciledS.toFixed(1)} s, then ${quietS.toFixed(1)} s, ${Math.round(rssMiB)} MiB\n`,
  )
  expect((await keptKeys(cluster)).filter(({ secret }) => secret?.current?.claimedAt !== undefined).length).toBe(KEYS)
  expect(writesWhenSettled).toEqual([])
  expect(reconciledS).toBeLessThan(30)
  expect(quietS).toBeLessThan(15)
  expect(rssMiB).toBeLessThan(300)
})

test(`${LOAD.admissions} admissions beside them take ${NEARLY_ALL_WITHIN_MS} ms at most, but for one in twenty`, async () => {
  const operator = await startOperator(cluster)
  await untilSettled(operator, KEYS, 60_000)
  const figures = await measureAdmission(cluster, operator, LOAD)
  process.stdout.write(`admission beside ${KEYS} keys, ${LOAD.aSecond} a second: ${tellAdmission(figures)}\n`)
  await operator.stop()
  expect(quantile(figures.stampMs, 0.95)).toBeLessThanOrEqual(NEARLY_ALL_WITHIN_MS)
  expect(quantile(figures.grantsMs, 0.95)).toBeLessThanOrEqual(NEARLY_ALL_WITHIN_MS)
  expect(figures.reviews).toBeGreaterThan(LOAD.admissions)
})
