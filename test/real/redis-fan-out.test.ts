/** One key over four replicas, each a process: the limit is the key's, not each replica's. */
import { beforeAll, describe, expect, test } from 'vitest'
import { leaseSize } from '../../src/redis/leases.ts'
import { fanOut, gcraIdeal, type PacedResult } from '../support/limits-fan-out.ts'
import { aQuota, aRate, HOUR_US, MINUTE_US, SECOND_US } from '../support/make.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { THREE_TRIALS } from '../support/trials.ts'

const REPLICAS = 4

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})

let buckets = 0
/** Of its own for each trial. */
const newBucket = () => `kw_prod_${String(buckets++).padStart(12, 'F')}`

describe('four replicas, asked at the same moment', () => {
  test('grant exactly 100 of 400 requests within half a second, by a limit of 100 a minute', THREE_TRIALS, async () => {
    const limits = [aRate({ requests: 100, perUs: MINUTE_US })]
    let result: PacedResult | undefined
    // what a machine under load spreads over more than that gets the next request back, at 600 ms
    for (let tries = 0; tries < 5 && (result === undefined || result.lastMs - result.firstMs >= 590); tries++) {
      const bucket = newBucket()
      ;[result] = await fanOut(redis, REPLICAS, [{ bucket, limits, requests: 100, overMs: 450 }])
    }
    expect(result).toMatchObject({ accepted: 100, failed: 0, atOnce: 0 })
  })

  test(
    'grant by leases no more than the limit, and no less than it without a lease of each',
    THREE_TRIALS,
    async () => {
      const rate = aRate({ requests: 4000, perUs: HOUR_US })
      const quota = aQuota({ requests: 5000, period: 'month' })
      expect([leaseSize([rate]), leaseSize([quota])]).toEqual([20, 25])
      const [byRate, byQuota] = await fanOut(redis, REPLICAS, [
        { bucket: newBucket(), limits: [rate], requests: 1500, overMs: 450 },
        { bucket: newBucket(), limits: [quota], requests: 1500, overMs: 450 },
      ])
      if (byRate === undefined || byQuota === undefined) throw new Error('no result')
      expect(byRate.accepted).toBeLessThanOrEqual(gcraIdeal(rate, byRate))
      expect(byRate.accepted).toBeGreaterThanOrEqual(rate.burst - REPLICAS * 20)
      expect(byQuota.accepted).toBeLessThanOrEqual(5000)
      expect(byQuota.accepted).toBeGreaterThanOrEqual(5000 - REPLICAS * 25)
      expect([byRate.failed, byQuota.failed]).toEqual([0, 0])
    },
  )

  test(
    'asked three times as often for a minute grant what the limit has, within two in a hundred',
    THREE_TRIALS,
    async () => {
      const exact = aRate({ requests: 600, perUs: MINUTE_US })
      const leased = aRate({ requests: 2000, perUs: 10 * SECOND_US })
      expect([leaseSize([exact]), leaseSize([leased])]).toEqual([0, 10])
      const overMs = 60_000
      const results = await fanOut(redis, REPLICAS, [
        { bucket: newBucket(), limits: [exact], requests: (3 * 600) / REPLICAS, overMs },
        { bucket: newBucket(), limits: [leased], requests: (3 * 12_000) / REPLICAS, overMs },
      ])
      for (const [i, limit] of [exact, leased].entries()) {
        const result = results[i]
        if (result === undefined) throw new Error('no result')
        const ideal = gcraIdeal(limit, result)
        // Redis is given up after a second without an answer, which a machine that stands still has not had either
        const lost = result.failed / ideal
        expect(lost).toBeLessThan(0.2)
        expect(result.accepted / ideal).toBeGreaterThan(0.98 - lost)
        expect(result.accepted / ideal).toBeLessThan(1.02)
      }
    },
  )
})
