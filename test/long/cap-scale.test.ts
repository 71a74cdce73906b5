/** Two thousand keys of a hundred people on fifty access namespaces, with ten permissions each. */
import { expect, test } from 'vitest'
import { measureCap } from '../support/cap-scale.ts'
import { startCluster } from '../support/cluster.ts'

test('are all asked about once with 50,000 questions at most; a change that concerns one person is in force with 100, within 2 s; one that concerns all with 700', async () => {
  const cluster = await startCluster()
  const scale = { keys: 2000, people: 100, places: 50, permissions: 10, placesEach: 5 }
  const figures = await measureCap(cluster, scale, 240_000)
  process.stdout.write(`cap, ${JSON.stringify(scale)}: ${JSON.stringify(figures)}\n`)
  expect(figures.writesOfTakeOver).toEqual([])
  expect(figures.reviewsOfPass).toBeLessThanOrEqual(50_000)
  expect(Math.max(figures.reviewsOfLoss, figures.reviewsOfRegain)).toBeLessThanOrEqual(100)
  expect(Math.max(figures.lossMs, figures.regainMs)).toBeLessThan(2000)
  for (const { grantedMs, enforcedMs, statusMs, reviews } of [figures.lossOfAll, figures.regainOfAll]) {
    // one permission on five places, of each person; some twice, where the API server sees the role later
    expect(reviews).toBeLessThanOrEqual(700)
    // so fast as the API server takes 2,000 writes, and the status of nobody before what is granted of the others
    expect(Math.max(grantedMs, enforcedMs)).toBeLessThan(30_000)
    expect([statusMs > grantedMs, statusMs < 120_000]).toEqual([true, true])
  }
}, 900_000)
