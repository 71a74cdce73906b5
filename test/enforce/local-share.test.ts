import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Limit, Spent } from '../../src/core/limit.ts'
import { localShare } from '../../src/enforce/local-share.ts'

const NOON_US = Date.UTC(2026, 10, 22, 12) * 1000
const MINUTE_US = 60_000_000
const rate = (requests: number, burst = requests) => ({ kind: 'rate', requests, perUs: MINUTE_US, burst }) as const
const daily = (requests: number) => ({ kind: 'quota', requests, period: 'day' }) as const

function cluster(replicas: number, alone = false, ranked = true) {
  let now = NOON_US
  const shares = Array.from({ length: replicas }, (_, rank) =>
    localShare({ nowUs: () => now, place: () => ({ replicas, rank: ranked ? rank : undefined }), alone }),
  )
  const ask = (limits: readonly Limit[], bucket = 'a') =>
    shares.reduce((granted, share) => granted + (share.spend(bucket, limits).ok ? 1 : 0), 0)
  return {
    shares,
    pass: (us: number) => {
      now += us
    },
    /** Each replica is asked until it refuses. */
    all: (limits: readonly Limit[], bucket = 'a') => {
      let granted = 0
      for (let last = 1; last > 0; granted += last) last = ask(limits, bucket)
      return granted
    },
    /** All are asked again and again for a time. */
    during: (us: number, limits: readonly Limit[]) => {
      let granted = 0
      for (let passed = 0; passed < us; passed += 100_000) {
        granted += ask(limits)
        now += 100_000
      }
      return granted
    },
  }
}

const leftOf = (limit: Limit, remaining: number, resetUs: number): Spent => ({
  ok: true,
  left: [{ limit, remaining, resetUs }],
})

describe('a bucket that nobody knows anything of', () => {
  test.each([
    [100, 4, 25],
    [600, 3, 150],
    [8, 4, 2],
    [2, 4, 0],
    [1, 1, 0],
  ])('a limit of %i per minute over %i replicas starts with a quarter: %i', (requests, replicas, granted) => {
    expect(cluster(replicas).all([rate(requests)])).toBe(granted)
  })

  test.each([
    // the last of them are asked a tenth of a second before it ends
    [100, 4, 25 + 99],
    [60, 3, 15 + 59],
    [2, 4, 2],
    [1, 3, 1],
  ])('a limit of %i per minute over %i replicas grants %i in the first minute', (requests, replicas, granted) => {
    expect(cluster(replicas).during(MINUTE_US, [rate(requests)])).toBe(granted)
  })

  test('whatever the limit, all replicas together stay within it and a quarter', () => {
    const tries = fc.record({
      requests: fc.integer({ min: 1, max: 500 }),
      burst: fc.integer({ min: 1, max: 500 }),
      replicas: fc.integer({ min: 1, max: 9 }),
      seconds: fc.integer({ min: 0, max: 90 }),
    })
    fc.assert(
      fc.property(tries, ({ requests, burst, replicas, seconds }) => {
        const { all, pass } = cluster(replicas)
        const limits = [rate(requests, burst)]
        const atOnce = all(limits)
        pass(seconds * 1_000_000)
        const later = all(limits)
        expect(atOnce).toBeLessThanOrEqual(requests / 4)
        expect(atOnce + later).toBeLessThanOrEqual((requests * seconds) / 60 + Math.max(requests / 4, burst))
      }),
      { numRuns: 300 },
    )
  })

  test('a burst of one is served by all where the limit can bear it, and by one where it can not', () => {
    const [wide, tiny] = [cluster(4), cluster(4)]
    for (const { pass } of [wide, tiny]) pass(0)
    expect([wide.during(MINUTE_US, [rate(60, 1)]), tiny.during(4 * MINUTE_US, [rate(1, 1)])]).toEqual([60, 4])
  })

  test('a refusal says when it will pass, under the limit as the key has it', () => {
    const [share] = cluster(2).shares
    const limit = rate(2)
    const spent = share?.spend('a', [limit])
    expect(spent).toMatchObject({ ok: false, code: 'rate_limited', left: [{ limit, remaining: 0 }] })
  })
})

describe('what was told before', () => {
  test('a bucket that was nearly empty starts with what was left', () => {
    const { shares, all } = cluster(4)
    const limit = rate(100)
    for (const share of shares) share.told('a', leftOf(limit, 6, 94 * 600_000))
    expect(all([limit])).toBe(6)
  })

  test('a bucket that refused starts with nothing', () => {
    const { shares, all } = cluster(4)
    const limit = rate(100)
    const left = [{ limit, remaining: 0, resetUs: 300_000 }]
    for (const share of shares) share.told('a', { ok: false, code: 'rate_limited', retryUs: 300_000, left })
    expect(all([limit])).toBe(0)
  })

  test('what is nearly whole is not remembered at all', () => {
    const [share] = cluster(1).shares
    for (let i = 0; i < 1000; i++) share?.told(`key-${i}`, leftOf(rate(100), 80, 20 * 600_000))
    expect(share?.size()).toBe(0)
  })

  test('what is whole again is forgotten', () => {
    const { shares, pass } = cluster(1)
    for (let i = 0; i < 1000; i++) shares[0]?.told(`key-${i}`, leftOf(rate(100), 10, 90 * 600_000))
    expect(shares[0]?.size()).toBe(1000)
    pass(2 * MINUTE_US)
    shares[0]?.spend('another', [rate(100)])
    expect(shares[0]?.size()).toBe(1)
  })
})

describe('a quota', () => {
  test.each([
    [1000, 4, 250],
    [10, 4, 2],
    [3, 4, 0],
  ])('of %i a day over %i replicas: %i are granted alone in all its outages', (requests, replicas, granted) => {
    const { shares, all, pass } = cluster(replicas)
    const limit = daily(requests)
    expect(all([limit])).toBe(granted)
    for (const share of shares) share.told('a', leftOf(limit, requests, 1))
    pass(3_600_000_000)
    expect(all([limit])).toBe(0)
    pass(24 * 3_600_000_000)
    expect(all([limit])).toBe(granted)
  })

  test('never more than was left when last told', () => {
    const { shares, all } = cluster(4)
    for (const share of shares) share.told('a', leftOf(daily(1000), 7, 1))
    expect(all([daily(1000)])).toBe(7)
  })

  test('rate and quota are spent together or not at all', () => {
    const { all, pass } = cluster(2)
    const both = [rate(40), daily(100)]
    expect(all(both)).toBe(10)
    pass(MINUTE_US)
    expect(all(both)).toBe(15)
  })
})

describe('back at the shared limits', () => {
  test('each replica says once what it granted of a quota', () => {
    const [share] = cluster(1).shares
    const limit = daily(1000)
    for (let i = 0; i < 5; i++) share?.spend('a', [limit])
    expect(share?.told('a', leftOf(limit, 900, 1))).toEqual([{ limit, requests: 5 }])
    expect(share?.told('a', leftOf(limit, 890, 1))).toEqual([])
  })

  test('the rate is made up for, taking it that the other replicas were asked as much', () => {
    const { shares, all } = cluster(4)
    const limit = rate(100)
    expect(all([limit])).toBe(25)
    expect(shares[0]?.told('a', leftOf(limit, 99, 600_000))).toEqual([{ limit, requests: 27 }])
    expect(shares[1]?.told('a', leftOf(limit, 72, 28 * 600_000))).toEqual([])
  })

  test('nothing is made up for where little was granted long ago', () => {
    const { shares, all, pass } = cluster(4)
    all([rate(100)])
    pass(MINUTE_US)
    expect(shares[0]?.told('a', leftOf(rate(100), 99, 600_000))).toEqual([])
  })

  test('shared limits that lost what they knew are reminded once, and small differences are none', () => {
    const { shares, pass } = cluster(1)
    const limit = rate(100)
    const told = (remaining: number) => shares[0]?.told('a', leftOf(limit, remaining, (100 - remaining) * 600_000))
    told(5)
    expect(told(25)).toEqual([])
    told(5)
    expect(told(99)).toEqual([{ limit, requests: 94 }])
    expect(told(98)).toEqual([])
    pass(6_000_000)
    expect(told(12)).toEqual([])
  })

  test('an edited limit is no loss', () => {
    const [share] = cluster(1).shares
    share?.told('a', leftOf(rate(100), 5, 95 * 600_000))
    expect(share?.told('a', leftOf(rate(1000), 905, 95 * 60_000))).toEqual([])
  })
})

test('replicas that never share anything grant the whole of each limit together, and no more', () => {
  const { all, pass } = cluster(4, true)
  expect([all([rate(100)], 'a'), all([daily(1001)], 'b'), all([rate(2)], 'c')]).toEqual([100, 1001, 2])
  pass(MINUTE_US)
  expect([all([rate(100)], 'a'), all([daily(1001)], 'b'), all([rate(2)], 'c')]).toEqual([100, 0, 2])
})

describe('replicas that do not know which one they are', () => {
  const blind = (replicas: number) => cluster(replicas, true, false)

  test.each([
    [rate(100), 4, 100],
    [rate(10), 4, 8],
    [rate(1), 4, 4],
    [rate(60, 1), 4, 4],
    [daily(1001), 4, 1000],
    [daily(3), 4, 4],
  ])('grant of %o, %i of them: %i at once, whichever key it is', (limit, replicas, granted) => {
    const { all } = blind(replicas)
    for (let key = 0; key < 8; key++) expect(all([limit], `key-${key}`)).toBe(granted)
  })

  test('each serve every key', () => {
    const { shares } = blind(4)
    for (let key = 0; key < 8; key++) {
      for (const share of shares) expect(share.spend(`key-${key}`, [rate(1), daily(1)]).ok).toBe(true)
    }
  })

  test('keep to the rate after that', () => {
    const { all, during } = blind(4)
    all([rate(1)])
    expect(during(40 * MINUTE_US, [rate(1)])).toBeLessThanOrEqual(40)
    expect(during(4 * MINUTE_US, [rate(1)])).toBe(4)
  })

  test('whatever the limit, grant no more of it than it is or they are, and each of them something', () => {
    const tries = fc.record({
      requests: fc.integer({ min: 1, max: 500 }),
      replicas: fc.integer({ min: 1, max: 9 }),
      seconds: fc.integer({ min: 0, max: 90 }),
    })
    fc.assert(
      fc.property(tries, ({ requests, replicas, seconds }) => {
        for (const limit of [rate(requests), daily(requests)]) {
          const { all, pass } = blind(replicas)
          const atOnce = all([limit])
          expect(atOnce).toBeGreaterThanOrEqual(replicas)
          expect(atOnce).toBeLessThanOrEqual(Math.max(requests, replicas))
          pass(seconds * 1_000_000)
          const later = all([limit])
          expect(later).toBeLessThanOrEqual(limit.kind === 'rate' ? (requests * seconds) / 60 + replicas : 0)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('serve every key in time where shared limits were never reached', () => {
    const { during, shares } = cluster(4, false, false)
    expect(during(8 * MINUTE_US, [rate(1)])).toBeGreaterThanOrEqual(4)
    for (const share of shares) expect(share.spend('b', [daily(10)]).ok).toBe(true)
  })
})

test('a clock that is set back takes nothing from anybody for long', () => {
  const { shares, pass, all } = cluster(2)
  const limit = rate(100)
  for (const share of shares) share.told('a', leftOf(limit, 0, 100 * 600_000))
  pass(-3_600_000_000)
  expect(all([limit])).toBe(25)
})

test('what is told in the moment in which others are forgotten is remembered', () => {
  const { shares, pass } = cluster(1)
  const [share] = shares
  pass(MINUTE_US + 1)
  share?.told('a', leftOf(rate(100), 0, MINUTE_US))
  expect(share?.size()).toBe(1)
})
