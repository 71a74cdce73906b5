/** One minute at three times the limit, with the largest leases, and over twice as many replicas as the real tests have. */
import { expect, test } from 'vitest'
import { fanOut, gcraIdeal } from '../support/limits-fan-out.ts'
import { aRate, MINUTE_US, SECOND_US } from '../support/make.ts'
import { startRedis } from '../support/redis.ts'

const OVER_MS = 60_000

test.each([
  ['60,000 a minute over four replicas, by leases of 300', 4, aRate({ requests: 60_000, perUs: MINUTE_US })],
  ['100 a second over eight replicas', 8, aRate({ requests: 100, perUs: SECOND_US })],
])(
  '%s, asked three times as often, grant what the limit has within two in a hundred',
  async (_what, replicas, rate) => {
    const redis = await startRedis()
    const requests = Math.ceil((3 * rate.requests * OVER_MS * 1000) / rate.perUs / replicas)
    const [result] = await fanOut(redis, replicas, [
      { bucket: 'kw_prod_overaminute0', limits: [rate], requests, overMs: OVER_MS },
    ])
    if (result === undefined) throw new Error('no result')
    const ideal = gcraIdeal(rate, result)
    console.log(
      `${_what}: ${result.accepted} accepted, GCRA ${Math.floor(ideal)}, answered at once ${result.atOnce}, failed ${result.failed}`,
    )
    expect(result.failed).toBe(0)
    expect(result.accepted / ideal).toBeGreaterThan(0.98)
    expect(result.accepted / ideal).toBeLessThan(1.02)
  },
)
