/** Leases on a real Redis: off the path of a request, prepaid, and given back. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Limit, Spent } from '../../src/core/limit.ts'
import { LEASE_US } from '../../src/redis/lease.ts'
import { leaseSize } from '../../src/redis/leases.ts'
import type { RedisLimits } from '../../src/redis/redis-limiter.ts'
import { aQuota, aRate, DAY_US, HOUR_US, NOON, SECOND_US } from '../support/make.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { readyLimits } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})

let buckets = 0
const newBucket = () => `kw_prod_${String(buckets++).padStart(12, 'L')}`

async function granted(
  limits: RedisLimits,
  of: { bucket: string; limits: readonly Limit[]; tries: number },
): Promise<number> {
  let count = 0
  for (let i = 0; i < of.tries; i++) if ((await limits.spend(of.bucket, of.limits)).ok) count++
  return count
}

const remaining = ({ left }: Spent): readonly number[] => left.map((one) => one.remaining)

/** How often the script ran, whoever asked for it. */
async function scriptRuns(): Promise<number> {
  const stats = await redis.cli('INFO', 'commandstats')
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

describe('the size of a lease', () => {
  test.each<[string, readonly Limit[], number]>([
    ['100 a minute', [aRate({ requests: 100 })], 0],
    ['1999 a minute', [aRate({ requests: 1999 })], 0],
    ['2000 a minute', [aRate({ requests: 2000 })], 10],
    ['2000 a minute in bursts of 1000', [aRate({ requests: 2000, burst: 1000 })], 0],
    ['10 a day in bursts of 50,000', [aRate({ requests: 10, perUs: DAY_US, burst: 50_000 })], 0],
    ['12,000 an hour', [aRate({ requests: 12_000, perUs: HOUR_US })], 60],
    ['60,000 a minute', [aRate({ requests: 60_000 })], 300],
    ['a million a second', [aRate({ requests: 1_000_000, perUs: SECOND_US })], 1000],
    ['1000 a day', [aQuota({ requests: 1000 })], 0],
    ['6000 a day', [aQuota({ requests: 6000 })], 30],
    ['a million a second and 100 a day', [aRate({ requests: 1_000_000 }), aQuota({ requests: 100 })], 0],
    [
      '20,000 a minute and 4000 a month',
      [aRate({ requests: 20_000 }), aQuota({ requests: 4000, period: 'month' })],
      20,
    ],
  ])(
    'of %s is the half of a hundredth of the smallest limit, at most 1000, at least 10 or none',
    (_what, limits, size) => {
      expect(leaseSize(limits)).toBe(size)
    },
  )
})

describe('a lease', THREE_TRIALS, () => {
  test('takes Redis off the path: a thousand requests by leases of a hundred need some twenty round trips', async () => {
    const limits = await readyLimits(redis.url)
    const of = { bucket: newBucket(), limits: [aRate({ requests: 20_000 })] }
    const before = await scriptRuns()
    let atOnce = 0
    for (let i = 0; i < 1000; i++) {
      const spent = limits.spend(of.bucket, of.limits)
      if (!(spent instanceof Promise)) atOnce++
      expect((await spent).ok).toBe(true)
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await scriptRuns()) - before).toBeLessThan(40)
    expect(atOnce).toBeGreaterThan(900)
  })

  test('is not held of a low limit: every request is a round trip', async () => {
    const limits = await readyLimits(redis.url)
    const of = { bucket: newBucket(), limits: [aRate({ requests: 100 })] }
    const before = await scriptRuns()
    await granted(limits, { ...of, tries: 50 })
    expect((await scriptRuns()) - before).toBe(50)
    expect(limits.leases()).toBe(0)
  })

  test('goes back when the process stops, and nothing of a quota is lost', async () => {
    const [first, second] = await Promise.all([readyLimits(redis.url), readyLimits(redis.url)])
    const of = {
      bucket: newBucket(),
      limits: [aRate({ requests: 20_000, perUs: HOUR_US }), aQuota({ requests: 20_000, period: 'month' })],
    }
    expect(await granted(first, { ...of, tries: 7 })).toBe(7)
    expect(remaining(await second.spend(of.bucket, of.limits))[1]).toBe(20_000 - 101 - 1)
    await first.stop()
    await second.stop()
    const third = await readyLimits(redis.url, { leaseSize: () => 0 })
    const [rateLeft = 0, quotaLeft] = remaining(await third.spend(of.bucket, of.limits))
    expect(quotaLeft).toBe(20_000 - 9)
    // the second one's came back after the first one's: of a rate time brings them
    expect(rateLeft).toBeGreaterThanOrEqual(20_000 - 9 - 100)
    expect(rateLeft).toBeLessThan(20_000)
  })

  test('of a rate goes back as well', async () => {
    const limits = await readyLimits(redis.url)
    const of = { bucket: newBucket(), limits: [aRate({ requests: 20_000, perUs: DAY_US })] }
    expect(await granted(limits, { ...of, tries: 7 })).toBe(7)
    await limits.stop()
    const exact = await readyLimits(redis.url, { leaseSize: () => 0 })
    expect(remaining(await exact.spend(of.bucket, of.limits))[0]).toBeGreaterThanOrEqual(20_000 - 9)
  })

  test('that nobody uses goes back by itself, and is forgotten', async () => {
    let now = NOON * 1000
    const clock = { nowUs: () => now, givenUs: () => now }
    const limits = await readyLimits(redis.url, clock)
    const of = { bucket: newBucket(), limits: [aQuota({ requests: 20_000 })] }
    await limits.spend(of.bucket, of.limits)
    expect(limits.leases()).toBe(1)
    now += LEASE_US
    await until('it is forgotten', () => limits.leases() === 0)
    const exact = await readyLimits(redis.url, { ...clock, leaseSize: () => 0 })
    await until('one is missing, of the lease, and those that are asked for here', async () => {
      const [left = 0] = remaining(await exact.spend(of.bucket, of.limits))
      return left > 20_000 - 50
    })
  })

  test('is prepaid: replicas together never grant more than the limit, and less only by what they hold', async () => {
    const replicas = await Promise.all([1, 2, 3].map(() => readyLimits(redis.url)))
    const of = { bucket: newBucket(), limits: [aQuota({ requests: 4000, period: 'month' })] }
    let count = 0
    for (let i = 0; i < 2000; i++) for (const { spend } of replicas) if ((await spend(of.bucket, of.limits)).ok) count++
    expect(count).toBeLessThanOrEqual(4000)
    expect(count).toBeGreaterThanOrEqual(4000 - 3 * 20)
  })

  test('does not outlive the window of its quota', async () => {
    let now = Date.UTC(2026, 10, 22, 23, 59, 59) * 1000
    const limits = await readyLimits(redis.url, { nowUs: () => now, givenUs: () => now, leaseSize: () => 50 })
    const of = { bucket: newBucket(), limits: [aQuota({ requests: 200 })] }
    expect(await granted(limits, { ...of, tries: 60 })).toBe(60)
    now += SECOND_US - 1
    expect(remaining(await limits.spend(of.bucket, of.limits))).toEqual([139])
    now += 1
    expect(remaining(await limits.spend(of.bucket, of.limits))).toEqual([199])
    expect(await granted(limits, { ...of, tries: 300 })).toBe(199)
  })

  test('is dropped when the limits change, and what it held counts as unused', async () => {
    const limits = await readyLimits(redis.url)
    const bucket = newBucket()
    expect(await granted(limits, { bucket, limits: [aQuota({ requests: 20_000 })], tries: 5 })).toBe(5)
    expect(remaining(await limits.spend(bucket, [aQuota({ requests: 50 })]))).toEqual([44])
    expect(limits.leases()).toBe(0)
    expect(await granted(limits, { bucket, limits: [aQuota({ requests: 50 })], tries: 100 })).toBe(44)
  })

  test('that is used up refuses without a round trip until a request is back', async () => {
    const limits = await readyLimits(redis.url, { leaseSize: () => 10 })
    const of = { bucket: newBucket(), limits: [aRate({ requests: 60, perUs: HOUR_US })] }
    expect(await granted(limits, { ...of, tries: 61 })).toBe(60)
    const before = await scriptRuns()
    for (let i = 0; i < 500; i++) {
      const spent = limits.spend(of.bucket, of.limits)
      expect(spent).toMatchObject({ ok: false, code: 'rate_limited', left: [{ remaining: 0 }] })
    }
    expect((await scriptRuns()) - before).toBeLessThan(3)
  })

  test('still counts while Redis is gone, to its end and no further', async () => {
    const own = await startRedis()
    const limits = await readyLimits(own.url, { leaseSize: () => 10 })
    const of = { bucket: newBucket(), limits: [aRate({ requests: 100, perUs: HOUR_US })] }
    await limits.spend(of.bucket, of.limits)
    await own.kill()
    let passed = 0
    let refused: unknown
    for (let i = 0; i < 30 && refused === undefined; i++) {
      try {
        if ((await limits.spend(of.bucket, of.limits)).ok) passed++
      } catch (error) {
        refused = error
      }
    }
    expect(passed).toBe(10)
    expect(refused).toMatchObject({ code: 'redis_unreachable' })
  })

  test('lets many that come at once pass together, in the order in which they came', async () => {
    const limits = await readyLimits(redis.url, { leaseSize: () => 10 })
    const of = { bucket: newBucket(), limits: [aRate({ requests: 300, perUs: HOUR_US })] }
    const before = await scriptRuns()
    const answers = await Promise.all(Array.from({ length: 400 }, async () => limits.spend(of.bucket, of.limits)))
    expect(answers.map(({ ok }) => ok)).toEqual(Array.from({ length: 400 }, (_, i) => i < 300))
    expect((await scriptRuns()) - before).toBeLessThan(6)
  })

  test('tells what remains as one bucket would, where one replica asks', async () => {
    const limits = await readyLimits(redis.url)
    const of = {
      bucket: newBucket(),
      limits: [aRate({ requests: 6000, perUs: DAY_US }), aQuota({ requests: 6000, period: 'month' })],
    }
    const told: (readonly number[])[] = []
    for (let i = 0; i < 70; i++) told.push(remaining(await limits.spend(of.bucket, of.limits)))
    expect(told).toEqual(Array.from({ length: 70 }, (_, i) => [5999 - i, 5999 - i]))
  })
})
