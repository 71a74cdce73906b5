/** 200,000 damaged requests against the running product; `SEED=<number>` takes another series. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSeries } from '../corpus/mutation-run.ts'
import { startWorld, type World } from '../corpus/world.ts'

const SEED = Number(process.env.SEED ?? 7)
const COUNT = 200_000

let world: World

beforeAll(async () => {
  world = await startWorld()
})
// undefined where it did not start
afterAll(() => world?.stop())

test(`200,000 damaged requests (seed ${SEED}) find no way past the proxy and do not stop it`, async () => {
  const statuses = new Map<number, number>()
  const { failures, reached, slowest } = await runSeries(world, { seed: SEED, count: COUNT, statuses })
  console.log(`reached the upstream: ${reached}; longest delay of the event loop: ${slowest} s; statuses:`, statuses)
  expect(failures.slice(0, 20)).toEqual([])
  expect(reached).toBeGreaterThan(COUNT / 20)
})
