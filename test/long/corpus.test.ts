/** Cases of the corpus that need more requests, or more quiet, than CI has. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TIMING_SCENARIOS, welch } from '../corpus/scenarios-timing.ts'
import { startWorld, type World } from '../corpus/world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
// undefined where it did not start
afterAll(() => world?.stop())

test('the measure tells two series apart that differ by a twentieth, and not two that do not', () => {
  const series = (mean: number) => Array.from({ length: 5000 }, (_none, i) => mean + ((i * 7919) % 1000) / 1000)
  expect(Math.abs(welch(series(1), series(1)))).toBeLessThan(0.1)
  expect(Math.abs(welch(series(1), series(1.05)))).toBeGreaterThan(4.5)
})

test.each(Object.entries(TIMING_SCENARIOS))('%s', async (_id, scenario) => {
  await scenario(world)
})
