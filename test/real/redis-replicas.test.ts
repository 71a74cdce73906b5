import { expect, onTestFinished, test } from 'vitest'
import { countReplicas, type Replicas } from '../../src/redis/replicas.ts'
import { startRedis, startRedisCluster } from '../support/redis.ts'
import { clientOf, PREFIX, redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const BEAT_MS = 100

function replica(url: string, id: string): Replicas & { readonly crash: () => void } {
  const { client } = clientOf(redisConfig(url))
  const replicas = countReplicas({ client, prefix: PREFIX, id, jitter: Math.random, beatMs: BEAT_MS })
  onTestFinished(replicas.stop)
  return { ...replicas, crash: () => client.disconnect() }
}

const allCount = (replicas: readonly Replicas[], count: number) =>
  until(`each counts ${count}`, () => replicas.every((one) => one.count() === count))

test('processes count one another, and agree on who is which', THREE_TRIALS, async () => {
  const { url } = await startRedis()
  const all = ['c', 'a', 'b'].map((id) => replica(url, id))
  await allCount(all, 3)
  expect(all.map((one) => one.rank())).toEqual([2, 0, 1])
})

test('one that stops is gone after a few beats, one that crashed after a few more', THREE_TRIALS, async () => {
  const { url } = await startRedis()
  const [a, b, c] = ['a', 'b', 'c'].map((id) => replica(url, id))
  if (a === undefined || b === undefined || c === undefined) throw new Error('three were made')
  await allCount([a, b, c], 3)
  await c.stop()
  await allCount([a, b], 2)
  b.crash()
  await allCount([a], 1)
  expect(a.rank()).toBe(0)
})

test(
  'what was counted last holds while Redis is gone, and a Redis that forgot all does not make each of them alone',
  THREE_TRIALS,
  async () => {
    const redis = await startRedis()
    const all = ['a', 'b', 'c'].map((id) => replica(redis.url, id))
    const least = { count: 3 }
    await allCount(all, 3)
    const watching = setInterval(() => {
      for (const one of all) least.count = Math.min(least.count, one.count() ?? 0)
    }, 5)
    onTestFinished(() => clearInterval(watching))
    await redis.cli('FLUSHALL')
    await until(
      'all have said that they live',
      async () => (await redis.cli('GET', `${PREFIX}{replicas}`)).split('\n').length === 3,
    )
    await redis.kill()
    await new Promise((resolve) => setTimeout(resolve, 5 * BEAT_MS))
    const back = await redis.restart()
    await until('all live again', async () => (await back.cli('GET', `${PREFIX}{replicas}`)).split('\n').length === 3)
    expect(least.count).toBe(3)
  },
)

test('a stranger’s value under the name is replaced', async () => {
  const redis = await startRedis()
  await redis.cli('LPUSH', `${PREFIX}{replicas}`, 'a 1', 'not ours')
  const one = replica(redis.url, 'me')
  await allCount([one], 1)
  expect(await redis.cli('TYPE', `${PREFIX}{replicas}`)).toBe('string')
})

test('a Cluster counts them as well', async () => {
  const { nodes } = await startRedisCluster()
  const urls = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const all = ['a', 'b'].map((id) => replica(`redis+cluster://${urls}`, id))
  await allCount(all, 2)
})
