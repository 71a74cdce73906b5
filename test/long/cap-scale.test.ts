/** Two thousand keys of a hundred people on fifty access namespaces, with ten permissions each. */
import { expect, test } from 'vitest'
import { measureCap } from '../support/cap-scale.ts'
import { startCluster } from '../support/cluster.ts'

test('are all asked about once with 50,000 questions at most, and a change that concerns one person with 100, within 2 s', async () => {
  const cluster = await startCluster()
  const scale = { keys: 2000, people: 100, places: 50, permissions: 10, placesEach: 5 }
  const figures = await measureCap(cluster, scale, 240_000)
  process.stdout.write(`cap, ${JSON.stringify(scale)}: ${JSON.stringify(figures)}\n`)
  expect(figures.writesOfTakeOver).toEqual([])
  expect(figures.reviewsOfPass).toBeLessThanOrEqual(50_000)
  expect(Math.max(figures.reviewsOfLoss, figures.reviewsOfRegain)).toBeLessThanOrEqual(100)
  expect(Math.max(figures.lossMs, figures.regainMs)).toBeLessThan(2000)
}, 600_000)
