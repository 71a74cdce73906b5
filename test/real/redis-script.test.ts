/** The script in a real Redis against core/limit.ts: the same answer to every request, whatever the limits and the clock. */
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  type BucketState,
  FRESH_BUCKET,
  type Limit,
  type Quota,
  type QuotaPeriod,
  quotaWindow,
  type RateLimit,
  type Spent,
  spend,
} from '../../src/core/limit.ts'
import { type Ask, askRedis } from '../../src/redis/ask.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { type Reply, type Returned, spentOf } from '../../src/redis/wire.ts'
import { aQuota, aRate, DAY_US, HOUR_US, MINUTE_US, NOON, SECOND_US } from '../support/make.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { limitsOf, PREFIX, ready, readyLimits, redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const NOON_US = NOON * 1000
let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})

// a trial before has left its buckets
beforeEach(() => redis.cli('FLUSHALL'))

type Clocked = { readonly ask: Ask; now: number }

async function clocked(): Promise<Clocked> {
  const client = connectRedis(redisConfig(redis.url))
  onTestFinished(() => client.disconnect())
  await ready(limitsOf(client))
  const state = { now: NOON_US }
  const ask = askRedis({ client, prefix: PREFIX, onGarbage: () => {}, givenUs: () => state.now })
  return {
    ask,
    get now() {
      return state.now
    },
    set now(us) {
      state.now = us
    },
  }
}

const LONGEST_US = 400 * DAY_US

/** Any rate that a key may have: at most a million a second, and whole again within 400 days. */
const rates: fc.Arbitrary<RateLimit> = fc
  .record({
    requests: fc.oneof(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 60_000_000 }),
      fc.constantFrom(7777, 7_000_000, 59_999_999, 60_000_000),
    ),
    perUs: fc.oneof(
      fc.constantFrom(SECOND_US, 7 * SECOND_US, MINUTE_US, HOUR_US, DAY_US, LONGEST_US),
      fc.integer({ min: 1000, max: LONGEST_US / 1000 }).map((ms) => ms * 1000),
    ),
    burst: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 60_000_000 })),
  })
  .map(({ requests, perUs, burst }) => {
    const most = Math.min(requests, perUs)
    return aRate({
      requests: most,
      perUs,
      burst: Math.max(1, Math.min(burst, Math.floor((LONGEST_US / perUs) * most))),
    })
  })

const quotas: fc.Arbitrary<Quota> = fc
  .record({
    requests: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(1_000_000, Number.MAX_SAFE_INTEGER)),
    period: fc.constantFrom<QuotaPeriod>('day', 'month'),
  })
  .map(aQuota)

const limits: fc.Arbitrary<readonly Limit[]> = fc.oneof(
  rates.map((rate) => [rate]),
  quotas.map((quota) => [quota]),
  fc.tuple(rates, quotas),
  fc.tuple(quotas, rates),
)

/** What happens between two requests: time passes, in twelfths of what one request takes to come back; or more than that. */
const steps = fc.oneof(
  { weight: 12, arbitrary: fc.record({ twelfths: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ us: fc.constantFrom(1, HOUR_US, DAY_US, 31 * DAY_US, LONGEST_US) }) },
  { weight: 2, arbitrary: fc.record({ us: fc.constantFrom(-1, -1000, -SECOND_US, -DAY_US) }) },
  { weight: 2, arbitrary: fc.record({ limits }) },
)

type Step = { readonly twelfths?: number; readonly us?: number; readonly limits?: readonly Limit[] }

const starts = fc.oneof(
  fc.constant(NOON_US),
  fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2109, 0) }).map((ms) => ms * 1000 + (ms % 1000)),
  fc.constantFrom(
    Date.UTC(2028, 1, 28, 23, 59) * 1000,
    Date.UTC(2100, 1, 28, 23, 59) * 1000,
    Date.UTC(2026, 11, 31, 23, 59, 59) * 1000,
  ),
)

const oneRequestUs = (of: readonly Limit[]): number =>
  Math.max(...of.map((limit) => (limit.kind === 'rate' ? limit.perUs / limit.requests : HOUR_US)))

/** So many of what was granted, as a lease would give them back. */
function returned({ nowUs, left }: Reply, count: number): Returned {
  const reset = (kind: Limit['kind']) => left.find(({ limit }) => limit.kind === kind)?.resetUs
  const windowUs = reset('quota')
  return {
    count,
    sureUntilUs: nowUs + (reset('rate') ?? 0) - 1,
    windowEndsUs: windowUs === undefined ? 0 : nowUs + windowUs,
    takenUs: nowUs,
  }
}

/** Both as a caller sees them: what is left by kind, without the limits themselves, and in the fifteen digits of its field. */
const seen = (spent: Spent) => ({
  ...spent,
  left: spent.left.map(({ limit, remaining, resetUs }) => [
    limit.kind,
    Math.min(remaining, 999_999_999_999_999),
    resetUs,
  ]),
})

describe('the script', THREE_TRIALS, () => {
  test('answers each request as the core does, over any limits, edits, rests and clocks that step back', async () => {
    const redisSide = await clocked()
    let runs = 0
    await fc.assert(
      fc.asyncProperty(
        starts,
        limits,
        fc.array(steps, { minLength: 1, maxLength: 25 }),
        async (start, first, story) => {
          const bucket = `story-${runs++}`
          let state: BucketState = FRESH_BUCKET
          let current = first
          redisSide.now = start
          const pairs: Promise<void>[] = []
          for (const step of story as readonly Step[]) {
            current = step.limits ?? current
            const passed = step.us ?? Math.round(((step.twelfths ?? 0) * oneRequestUs(current)) / 12)
            redisSide.now = Math.max(DAY_US, redisSide.now + Math.min(passed, LONGEST_US))
            const done = spend(state, current, redisSide.now)
            state = done.state
            pairs.push(
              redisSide.ask({ bucket, limits: current, wanted: 1 }).then((reply) => {
                expect(seen(spentOf(reply))).toEqual(seen(done.spent))
              }),
            )
          }
          await Promise.all(pairs)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('grants as many at once as the core grants one by one', async () => {
    const redisSide = await clocked()
    let runs = 0
    await fc.assert(
      fc.asyncProperty(
        limits,
        fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 12 })), { maxLength: 8 }),
        async (of, story) => {
          const bucket = `batch-${runs++}`
          let state: BucketState = FRESH_BUCKET
          redisSide.now = NOON_US
          for (const [twelfths, wanted] of story) {
            redisSide.now += Math.round((twelfths * oneRequestUs(of)) / 12)
            let granted = 0
            for (let i = 0; i < wanted; i++) {
              const done = spend(state, of, redisSide.now)
              state = done.state
              if (done.spent.ok) granted++
            }
            expect((await redisSide.ask({ bucket, limits: of, wanted })).granted).toBe(granted)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('counts a burst of 60 million to the last, where the product of time and rate is beyond 2^53', async () => {
    const redisSide = await clocked()
    const rate = aRate({ requests: 59_999_999, perUs: DAY_US, burst: 60_000_000 })
    const taken = await redisSide.ask({ bucket: 'wide', limits: [rate], wanted: 59_999_997 })
    expect([taken.granted, taken.left[0]?.remaining]).toEqual([59_999_997, 3])
    const left: unknown[] = []
    for (let i = 0; i < 4; i++) {
      const {
        granted,
        left: [one],
        code,
      } = await redisSide.ask({ bucket: 'wide', limits: [rate], wanted: 1 })
      left.push(granted > 0 ? one?.remaining : code)
    }
    expect(left).toEqual([2, 1, 0, 'rate_limited'])
  })

  test('knows the calendar of a hundred years', async () => {
    const redisSide = await clocked()
    const wrong: string[] = []
    for (const period of ['day', 'month'] as const) {
      const limits = [aQuota({ requests: 9, period })]
      const moments = Array.from(
        { length: 1300 },
        (_, i) => Date.UTC(2020, 0, 1) * 1000 + i * 28 * DAY_US + (i % 3) * (DAY_US - 1),
      )
      const ends = moments.map((now, i) => {
        redisSide.now = now
        return redisSide.ask({ bucket: `calendar-${period}-${i}`, limits, wanted: 1 })
      })
      for (const [i, reply] of (await Promise.all(ends)).entries()) {
        const now = moments[i] ?? 0
        if (reply.left[0]?.resetUs !== quotaWindow(period, now).endUs - now)
          wrong.push(`${period} ${new Date(now / 1000).toISOString()}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('gives back no more than was spent and is not back by itself: nobody gains by it', async () => {
    const redisSide = await clocked()
    let runs = 0
    const taking = fc.record({
      twelfths: fc.nat(40),
      taken: fc.integer({ min: 1, max: 9 }),
      unused: fc.nat(9),
      after: fc.nat(3),
    })
    await fc.assert(
      fc.asyncProperty(limits, fc.array(taking, { minLength: 1, maxLength: 12 }), async (of, story) => {
        const [leased, frugal] = [`leased-${runs}`, `frugal-${runs++}`]
        const ask = (bucket: string, question: { wanted: number; back?: Returned }) =>
          redisSide.ask({ bucket, limits: of, ...question })
        redisSide.now = NOON_US
        const returns: { readonly at: number; readonly back: Returned }[] = []
        for (const [i, { twelfths, taken, unused, after }] of story.entries()) {
          redisSide.now += Math.round((twelfths * oneRequestUs(of)) / 12)
          for (const { back } of returns.filter(({ at }) => at === i)) await ask(leased, { wanted: 0, back })
          const reply = await ask(leased, { wanted: taken })
          const { granted } = reply
          const back = Math.min(unused, granted)
          if (back > 0) returns.push({ at: i + 1 + after, back: returned(reply, back) })
          // the other bucket is charged with what was used alone, when it was taken
          if (granted > back) expect((await ask(frugal, { wanted: granted - back })).granted).toBe(granted - back)
          const [a, b] = await Promise.all([ask(leased, { wanted: 0 }), ask(frugal, { wanted: 0 })])
          for (const [at, one] of a.left.entries())
            expect(one.remaining).toBeLessThanOrEqual(b.left[at]?.remaining ?? 0)
        }
      }),
      { numRuns: 400 },
    )
  })

  test('gives all of it back where others kept the bucket busy meanwhile', async () => {
    const redisSide = await clocked()
    const limits = [aRate({ requests: 100 }), aQuota({ requests: 1000 })]
    const first = await redisSide.ask({ bucket: 'busy', limits, wanted: 60 })
    await redisSide.ask({ bucket: 'busy', limits, wanted: 40 })
    redisSide.now += SECOND_US
    await redisSide.ask({ bucket: 'busy', limits, wanted: 0, back: returned(first, 20) })
    const { granted, left } = await redisSide.ask({ bucket: 'busy', limits, wanted: 50 })
    expect([granted, left[1]?.remaining]).toEqual([21, 1000 - 60 - 40 + 20 - 21])
  })

  test('gives a quota back to no other window than its own', async () => {
    const redisSide = await clocked()
    const limits = [aQuota({ requests: 10 })]
    const first = await redisSide.ask({ bucket: 'windows', limits, wanted: 8 })
    redisSide.now += DAY_US
    await redisSide.ask({ bucket: 'windows', limits, wanted: 3 })
    await redisSide.ask({ bucket: 'windows', limits, wanted: 0, back: returned(first, 5) })
    expect((await redisSide.ask({ bucket: 'windows', limits, wanted: 20 })).granted).toBe(7)
  })
})

describe('a bucket in Redis', () => {
  test('is gone once it is whole again, and no sooner', async () => {
    const limits = await readyLimits(redis.url)
    const ttl = async (bucket: string) => Number(await redis.cli('PTTL', `${PREFIX}{${bucket}}`))
    const spentMs = performance.now()
    await limits.spend('kw_dev_000000000001', [aRate({ requests: 60 })])
    const left = await ttl('kw_dev_000000000001')
    expect(left + performance.now() - spentMs).toBeGreaterThan(1000)
    expect(left).toBeLessThanOrEqual(2001)
    await limits.spend('kw_dev_000000000002', [aRate({ requests: 1, perUs: HOUR_US })])
    expect(Math.round((await ttl('kw_dev_000000000002')) / 60_000)).toBe(60)
    await limits.spend('kw_dev_000000000003', [aQuota({ requests: 5, period: 'month' })])
    const untilMonthEnds = quotaWindow('month', Date.now() * 1000).endUs / 1000 - Date.now()
    expect(Math.abs((await ttl('kw_dev_000000000003')) - untilMonthEnds)).toBeLessThan(10_000)
    await limits.spend('kw_dev_000000000004', [aRate({ requests: 1000, perUs: SECOND_US })])
    await until('it is gone', async () => (await ttl('kw_dev_000000000004')) === -2)
  })

  test('is a few numbers under the key ID, and nothing of the credential', async () => {
    const limits = await readyLimits(redis.url)
    await limits.spend('kw_dev_000000000005', [aRate({ requests: 60 }), aQuota({ requests: 5 })])
    expect(await redis.cli('GET', `${PREFIX}{kw_dev_000000000005}`)).toMatch(/^\d{16} 0 60 60000000 \d{16} 1 \d{16} 0$/)
  })

  test('is not written by a request that is refused', async () => {
    const limits = await readyLimits(redis.url)
    const of = [aRate({ requests: 1, perUs: HOUR_US })]
    await limits.spend('kw_dev_000000000006', of)
    const before = await redis.cli('GET', `${PREFIX}{kw_dev_000000000006}`)
    const ttl = Number(await redis.cli('PTTL', `${PREFIX}{kw_dev_000000000006}`))
    expect(await limits.spend('kw_dev_000000000006', of)).toMatchObject({ ok: false, code: 'rate_limited' })
    expect(await redis.cli('GET', `${PREFIX}{kw_dev_000000000006}`)).toBe(before)
    expect(Number(await redis.cli('PTTL', `${PREFIX}{kw_dev_000000000006}`))).toBeLessThanOrEqual(ttl)
  })

  test('learns of requests that a replica granted alone, each limit of its own number', async () => {
    const limits = await readyLimits(redis.url)
    const [rate, quota] = [aRate({ requests: 10, perUs: HOUR_US }), aQuota({ requests: 10 })]
    await limits.spend('kw_dev_000000000007', [rate, quota])
    await limits.remind('kw_dev_000000000007', [
      { limit: rate, requests: 4 },
      { limit: quota, requests: 100 },
    ])
    expect(await limits.spend('kw_dev_000000000007', [rate, quota])).toMatchObject({
      ok: false,
      code: 'quota_exhausted',
      left: [{ remaining: 5 }, { remaining: 0 }],
    })
  })
})
