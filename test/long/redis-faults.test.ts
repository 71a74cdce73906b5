/** Redis that is in trouble again and again, for minutes, with four replicas on it. */
import { expect, test } from 'vitest'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { HOT, HOT_BUCKETS, percentile, startLoad, startReplicas } from '../support/limits-load.ts'
import { startRedis } from '../support/redis.ts'
import { acceptedOf, outOfPlace } from '../support/redis-fault.ts'
import { redisConfig } from '../support/redis-limits.ts'
import { until } from '../support/until.ts'

const ROUNDS = 24
const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

test('fault after fault: nobody waits, nobody gets far more than the limit, and it always comes back', async () => {
  let redis = await startRedis()
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: redis.port })
  const replicas = await startReplicas(redisConfig(`redis://127.0.0.1:${proxy.port}`), 4)
  const faults: readonly { readonly name: string; readonly begin: () => unknown; readonly end: () => unknown }[] = [
    {
      name: 'killed',
      begin: () => redis.kill(),
      end: async () => {
        redis = await redis.restart()
      },
    },
    { name: 'stopped', begin: () => redis.pause(), end: () => redis.resume() },
    { name: 'slow', begin: () => proxy.delay(200), end: proxy.heal },
    { name: 'stalled', begin: proxy.stall, end: proxy.heal },
    { name: 'cut', begin: proxy.cut, end: () => undefined },
    { name: 'refused', begin: proxy.refuse, end: proxy.heal },
    { name: 'flushed', begin: () => redis.cli('FLUSHALL'), end: () => redis.cli('SCRIPT', 'FLUSH') },
  ]
  const load = startLoad(replicas, 2000)
  const recoveries: number[] = []
  let gone = 0
  for (let round = 0; round < ROUNDS; round++) {
    const fault = faults[round % faults.length]
    await pass(1000 + Math.random() * 2000)
    if (fault?.name === 'flushed' || fault?.name === 'killed') gone++
    await fault?.begin()
    await pass(200 + Math.random() * 3000)
    await fault?.end()
    const endedMs = performance.now()
    await until(`back after ${fault?.name}`, () => replicas.every(({ mode }) => mode() === 'shared'))
    recoveries.push(performance.now() - endedMs)
  }
  await load.stop()
  const { accepted, seconds } = acceptedOf(load)
  const took = load.answers.map(({ tookMs }) => tookMs)
  console.log(
    `${took.length} spends in ${seconds.toFixed(0)} s, p99 ${percentile(took, 0.99).toFixed(1)} ms, longest`,
    `${percentile(took, 1).toFixed(0)} ms, back after ${Math.max(...recoveries).toFixed(0)} ms at most, this process late by`,
    `${load.stallMs().toFixed(0)} ms; accepted ${HOT_BUCKETS.map((bucket) => accepted[bucket]).join(', ')}`,
    `of ${(HOT.requests * seconds + HOT.burst).toFixed(0)} each; Redis was emptied ${gone} times`,
  )
  expect(percentile(took, 1)).toBeLessThan(250 + load.stallMs())
  expect(Math.max(...recoveries)).toBeLessThan(2000 + load.stallMs())
  expect(load.answers.filter(outOfPlace)).toEqual([])
  for (const bucket of HOT_BUCKETS) {
    expect(accepted[bucket]).toBeLessThanOrEqual(1.25 * HOT.requests * seconds + HOT.burst)
    expect(accepted[bucket]).toBeGreaterThan(0.8 * HOT.requests * seconds)
  }
})
