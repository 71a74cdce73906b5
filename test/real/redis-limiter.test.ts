/** The limiter's contract in Redis: one server and a Cluster, one by one and by leases. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bucketKey } from '../../src/redis/wire.ts'
import { type Clocked, limiterContract } from '../contract/limiter.contract.ts'
import { aRate, NOON } from '../support/make.ts'
import { type RedisServer, startRedis, startRedisCluster } from '../support/redis.ts'
import { clientOf, limitsOf, PREFIX, ready, redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'

let redis: RedisServer
let nodes: readonly RedisServer[]
beforeAll(async () => {
  ;[redis, { nodes }] = await Promise.all([startRedis(), startRedisCluster()])
})

const cluster = () => `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`

let contracts = 0

/** Buckets of its own, and a clock that is moved: the script is told the time instead of asking Redis for it. */
const fresh = (url: () => string, leaseSize: number) => async (): Promise<Clocked> => {
  let now = NOON * 1000
  const { client } = clientOf(redisConfig(url()))
  const limits = limitsOf(client, {
    prefix: `keyward:contract-${contracts++}:`,
    nowUs: () => now,
    givenUs: () => now,
    leaseSize: () => leaseSize,
  })
  await ready(limits)
  return {
    limiter: limits,
    passUs: (us) => {
      now += us
    },
  }
}

// Redis is given up after a second without an answer, which a machine that stands still has not had either
describe('counted by Redis', THREE_TRIALS, () => {
  limiterContract(
    'Redis',
    fresh(() => redis.url, 0),
  )
  limiterContract(
    'Redis, by leases of 7',
    fresh(() => redis.url, 7),
  )
  limiterContract(
    'Redis, by leases of 100',
    fresh(() => redis.url, 100),
  )
  limiterContract('Redis Cluster', fresh(cluster, 0))
  limiterContract('Redis Cluster, by leases of 10', fresh(cluster, 10))
})

describe('in a Cluster', THREE_TRIALS, () => {
  // a trial before has left its buckets
  beforeEach(() => Promise.all(nodes.map(({ cli }) => cli('FLUSHALL'))))

  test('buckets lie on all nodes, each on one, and each is counted exactly', async () => {
    const { client } = clientOf(redisConfig(cluster(), { prefix: PREFIX }))
    const limits = await ready(limitsOf(client))
    const buckets = Array.from({ length: 60 }, (_, i) => `kw_prod_${String(i).padStart(12, '0')}`)
    const of = [aRate({ requests: 5, perUs: 3_600_000_000 })]
    const granted = await Promise.all(
      buckets.map(async (bucket) => {
        const spent = await Promise.all(Array.from({ length: 8 }, async () => limits.spend(bucket, of)))
        return spent.filter(({ ok }) => ok).length
      }),
    )
    expect(new Set(granted)).toEqual(new Set([5]))
    const kept = await Promise.all(nodes.map(async ({ cli }) => (await cli('KEYS', `${PREFIX}*kw_prod*`)).split('\n')))
    expect(kept.flat().toSorted()).toEqual(buckets.map((bucket) => bucketKey(PREFIX, bucket)).toSorted())
    for (const keys of kept) expect(keys.length).toBeGreaterThan(5)
  })

  test('a slot that is moved takes its bucket with it, and nothing is counted anew', async () => {
    const { client } = clientOf(redisConfig(cluster()))
    const limits = await ready(limitsOf(client))
    const bucket = 'kw_prod_movedmovedmo'
    const of = [aRate({ requests: 4, perUs: 3_600_000_000 })]
    for (let i = 0; i < 3; i++) expect((await limits.spend(bucket, of)).ok).toBe(true)
    await moveSlot(bucketKey(PREFIX, bucket))
    const after = []
    for (let i = 0; i < 3; i++) after.push((await limits.spend(bucket, of)).ok)
    expect(after).toEqual([true, false, false])
  })
})

/** As `redis-cli --cluster reshard` does it for one slot with one key. */
async function moveSlot(key: string): Promise<void> {
  const [first] = nodes
  const slot = (await first?.cli('CLUSTER', 'KEYSLOT', key)) ?? ''
  const holds = await Promise.all(nodes.map(async ({ cli }) => Number(await cli('EXISTS', key)) === 1))
  const from = nodes[holds.indexOf(true)]
  const to = nodes[holds.indexOf(false)]
  if (from === undefined || to === undefined) throw new Error('no two nodes')
  const [fromId, toId] = await Promise.all([from.cli('CLUSTER', 'MYID'), to.cli('CLUSTER', 'MYID')])
  await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  await from.cli('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000')
  for (const { cli } of [to, from]) await cli('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}
