/** Ten thousand keys that are there before the operator is. */
import { expect, test } from 'vitest'
import { startCluster } from '../support/cluster.ts'
import { keptKeys } from '../support/cluster-keys.ts'
import { importKeys } from '../support/many-keys.ts'
import { measureScale } from '../support/operator-scale.ts'

const KEYS = 10_000

test('are all in force within two minutes of its first start; its next start writes nothing', async () => {
  const cluster = await startCluster()
  await importKeys(cluster, KEYS)
  const { reconciledS, quietS, writesWhenSettled, rssMiB } = await measureScale(cluster, KEYS, 240_000)
  process.stdout.write(
    `operator, ${KEYS} keys: ${reconciledS.toFixed(1)} s, then ${quietS.toFixed(1)} s, ${Math.round(rssMiB)} MiB\n`,
  )
  expect((await keptKeys(cluster)).length).toBe(KEYS)
  expect(writesWhenSettled).toEqual([])
  expect(reconciledS).toBeLessThan(120)
  expect(rssMiB).toBeLessThan(300)
})
