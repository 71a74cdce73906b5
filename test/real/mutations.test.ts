/** 10,000 damaged requests against the running product: no crash, nothing gets past it, none takes the event loop for long. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FOUND } from '../corpus/found.ts'
import { runSeries } from '../corpus/mutation-run.ts'
import { startWorld, type World } from '../corpus/world.ts'
import { THREE_TRIALS } from '../support/trials.ts'

const SEED = 20_261_122
const COUNT = 10_000

let world: World

beforeAll(async () => {
  world = await startWorld()
})
// undefined where it did not start
afterAll(() => world?.stop())

test.each(FOUND.map((found) => [found.what, found] as const))('%s', async (_what, { bytes, statuses, targets }) => {
  // the harm is done, or not, a moment after the connection has closed
  for (let i = 0; i < 20; i++) {
    const before = world.upstream.seen.length
    const { responses } = await world.send(bytes(world.credentials))
    expect(responses.map(({ status }) => status)).toEqual(statuses)
    expect(world.upstream.seen.slice(before).map(({ target }) => target)).toEqual(targets)
  }
  expect(await world.metrics()).toContain('keyward_event_loop_delay_seconds')
})

test('10,000 damaged requests find no way past the proxy and do not stop it', THREE_TRIALS, async () => {
  const statuses = new Map<number, number>()
  const { failures, reached } = await runSeries(world, { seed: SEED, count: COUNT, statuses })
  expect(failures.slice(0, 20)).toEqual([])
  // a series that is refused whole would prove nothing
  expect(reached).toBeGreaterThan(COUNT / 20)
  for (const status of [200, 400, 401, 403]) expect(statuses.get(status), String(status)).toBeGreaterThan(COUNT / 100)
})
