/** Two thousand keys that are there before the operator is. */
import { expect, test } from 'vitest'
import { startCluster } from '../support/cluster.ts'
import { keptKeys } from '../support/cluster-keys.ts'
import { measureScale } from '../support/operator-scale.ts'

const KEYS = 2000

test('are all in force within 30 s of its first start; its next start writes nothing', async () => {
  const cluster = await startCluster()
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
