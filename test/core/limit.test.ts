import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BucketState,
  FRESH_BUCKET,
  type Limit,
  type QuotaPeriod,
  quotaWindow,
  type RateLimit,
  spend,
} from '../../src/core/limit.ts'
import { aQuota, aRate, DAY_US, HOUR_US, MINUTE_US, NOON, SECOND_US } from '../support/make.ts'

const NOON_US = NOON * 1000

/** A bucket that remembers itself. */
function bucket(...limits: readonly Limit[]) {
  let state = FRESH_BUCKET
  const ask = (nowUs: number, edited: readonly Limit[] = limits) => {
    const done = spend(state, edited, nowUs)
    state = done.state
    return done.spent
  }
  const granted = (nowUs: number, tries: number, edited?: readonly Limit[]): number => {
    let count = 0
    for (let i = 0; i < tries; i++) if (ask(nowUs, edited).ok) count++
    return count
  }
  return { ask, granted }
}

const retryOf = (spent: ReturnType<typeof spend>['spent']): number | undefined => (spent.ok ? undefined : spent.retryUs)
const remainingOf = (spent: ReturnType<typeof spend>['spent']): number | undefined => spent.left[0]?.remaining

describe('a rate', () => {
  test('every number of requests per minute from 1 to 600 is granted to the last one at once, and not one more', () => {
    const wrong = Array.from({ length: 600 }, (_, i) => i + 1).filter(
      (requests) => bucket(aRate({ requests })).granted(NOON_US, requests + 3) !== requests,
    )
    expect(wrong).toEqual([])
  })

  test.each([
    ['9/m', aRate({ requests: 9 })],
    ['7777/s', aRate({ requests: 7777, perUs: SECOND_US })],
    ['7,000,000/m in bursts of 5000', aRate({ requests: 7_000_000, burst: 5000 })],
    ['7,000,000/d in bursts of 999', aRate({ requests: 7_000_000, perUs: DAY_US, burst: 999 })],
    ['1/d in bursts of 3', aRate({ requests: 1, perUs: DAY_US, burst: 3 })],
    ['1000/h, more at once than an hour brings', aRate({ requests: 1000, perUs: HOUR_US, burst: 2500 })],
    ['60,000,000/m in bursts of 100', aRate({ requests: 60_000_000, burst: 100 })],
  ])('%s grants its burst at once, counts it down to nothing, and not one more', (_what, rate) => {
    const { ask } = bucket(rate)
    for (let left = rate.burst - 1; left >= 0; left--) {
      const spent = ask(NOON_US)
      if (!spent.ok || remainingOf(spent) !== left)
        expect(spent).toMatchObject({ ok: true, left: [{ remaining: left }] })
    }
    expect(ask(NOON_US)).toMatchObject({ ok: false, code: 'rate_limited', left: [{ limit: rate, remaining: 0 }] })
  })

  test('a burst of 60 million is still counted to the last', () => {
    const rate = aRate({ requests: 59_999_999, perUs: DAY_US, burst: 60_000_000 })
    const taken = 59_999_997n
    const [owed, divisor] = [taken * BigInt(rate.perUs), BigInt(rate.requests)]
    let state: BucketState = {
      ...FRESH_BUCKET,
      tatUs: NOON_US + Number(owed / divisor),
      part: Number(owed % divisor),
      requests: rate.requests,
      perUs: rate.perUs,
    }
    const left: unknown[] = []
    for (let i = 0; i < 4; i++) {
      const done = spend(state, [rate], NOON_US)
      state = done.state
      left.push(done.spent.ok ? remainingOf(done.spent) : done.spent.code)
    }
    expect(left).toEqual([2, 1, 0, 'rate_limited'])
  })

  test('what was spent comes back one by one, evenly', () => {
    const { granted } = bucket(aRate({ requests: 60 }))
    expect(granted(NOON_US, 100)).toBe(60)
    expect(granted(NOON_US + SECOND_US - 1, 5)).toBe(0)
    expect(granted(NOON_US + SECOND_US, 5)).toBe(1)
    expect(granted(NOON_US + 2 * SECOND_US - 1, 5)).toBe(0)
    expect(granted(NOON_US + 11 * SECOND_US, 50)).toBe(10)
    expect(granted(NOON_US + DAY_US, 100)).toBe(60)
  })

  test('a refusal names the microsecond at which the next request passes: not one earlier', () => {
    for (const rate of [
      aRate({ requests: 7 }),
      aRate({ requests: 7777, perUs: SECOND_US, burst: 3 }),
      aRate({ requests: 13, burst: 1 }),
    ]) {
      const { ask, granted } = bucket(rate)
      granted(NOON_US, rate.burst)
      let now = NOON_US
      for (let i = 0; i < 30; i++) {
        const waitUs = retryOf(ask(now)) ?? 0
        expect(waitUs).toBeGreaterThan(0)
        expect(ask(now + waitUs - 1).ok).toBe(false)
        now += waitUs
        expect(ask(now).ok).toBe(true)
      }
    }
  })

  test('it says when it will be whole again', () => {
    const { ask } = bucket(aRate({ requests: 60 }))
    expect(ask(NOON_US).left).toEqual([{ limit: aRate({ requests: 60 }), remaining: 59, resetUs: SECOND_US }])
    expect(ask(NOON_US).left[0]?.resetUs).toBe(2 * SECOND_US)
    expect(ask(NOON_US + 10 * SECOND_US).left[0]).toMatchObject({ remaining: 59, resetUs: SECOND_US })
  })

  test('a request that is refused costs nothing', () => {
    const { granted, ask } = bucket(aRate({ requests: 2, perUs: 2 * SECOND_US }))
    expect(granted(NOON_US, 2)).toBe(2)
    for (let i = 0; i < 100; i++) expect(ask(NOON_US + i).ok).toBe(false)
    expect(granted(NOON_US + SECOND_US, 5)).toBe(1)
  })
})

// GCRA once more, from its definition and in whole numbers of any size: a moment is counted in 1/requests µs.
function exactBucket({ requests, perUs, burst }: RateLimit) {
  const [rate, interval, most] = [BigInt(requests), BigInt(perUs), BigInt(burst) * BigInt(perUs)]
  let tat = 0n
  return (nowUs: number): boolean => {
    const now = BigInt(nowUs) * rate
    const next = (tat > now ? tat : now) + interval
    if (next - now > most) return false
    tat = next
    return true
  }
}

describe('laws of a rate', () => {
  const PERIODS = [SECOND_US, 7 * SECOND_US, MINUTE_US, HOUR_US, DAY_US, 400 * DAY_US]
  const rates = fc
    .record({
      requests: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(7777, 60_000, 7_000_000, 60_000_000)),
      perUs: fc.constantFrom(...PERIODS),
      burst: fc.integer({ min: 1, max: 40 }),
    })
    .map(aRate)

  /** Steps of a clock, in twelfths of the time that one request takes to come back; now and then a long rest. */
  const steps = fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(30) }, fc.constantFrom(1200, 1e6)), {
    minLength: 1,
    maxLength: 120,
  })

  test('each request is answered as the exact definition answers it, at any rate, over any time', () => {
    fc.assert(
      fc.property(rates, steps, (rate, clock) => {
        const { ask } = bucket(rate)
        const exact = exactBucket(rate)
        let now = NOON_US
        for (const step of clock) {
          now += Math.min(Math.round((step * rate.perUs) / rate.requests / 12), DAY_US * 400)
          expect(ask(now).ok).toBe(exact(now))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('never more than burst + rate × time is granted, and to who asks whenever it may at most one fewer', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 120 }), (rate, asked) => {
        // a caller asks in whole microseconds: a bucket must hold what comes back meanwhile
        fc.pre(rate.perUs % rate.requests === 0 || (rate.burst - 1) * rate.perUs >= rate.requests)
        const { ask } = bucket(rate)
        let now = NOON_US
        let granted = 0
        for (let i = 0; i < asked; i++) {
          const spent = ask(now)
          if (spent.ok) granted++
          // rate × time, in whole numbers
          const back = Number((BigInt(now - NOON_US) * BigInt(rate.requests)) / BigInt(rate.perUs))
          const most = rate.burst + back
          if (granted > most || (!spent.ok && granted < most - 1)) expect(granted).toBe(most)
          if (!spent.ok) now += spent.retryUs
        }
      }),
      { numRuns: 100 },
    )
  })

  test('what is said to remain is what passes at once', () => {
    fc.assert(
      fc.property(rates, fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }), (rate, clock) => {
        let state = FRESH_BUCKET
        let now = NOON_US
        for (const step of clock) {
          now += Math.round((step * rate.perUs) / rate.requests / 12)
          const done = spend(state, [rate], now)
          state = done.state
          let ahead = done.state
          let passed = 0
          for (let i = 0; i <= rate.burst; i++) {
            const tried = spend(ahead, [rate], now)
            if (tried.spent.ok) passed++
            ahead = tried.state
          }
          expect(remainingOf(done.spent)).toBe(passed)
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('a limit edited between requests', () => {
  const used = (rate: RateLimit) => {
    const made = bucket(rate)
    made.granted(NOON_US, rate.burst)
    expect(made.ask(NOON_US).ok).toBe(false)
    return made
  }

  test('what is outstanding stays outstanding, and a raised limit counts from the next request on', () => {
    expect(used(aRate({ requests: 2 })).granted(NOON_US, 500, [aRate({ requests: 240 })])).toBe(238)
  })

  test('after a lowered limit nobody waits longer than the new limit takes', () => {
    const { ask, granted } = used(aRate({ requests: 1000, perUs: HOUR_US }))
    const lower = aRate({ requests: 10 })
    expect(ask(NOON_US, [lower])).toMatchObject({ ok: false, retryUs: 6 * SECOND_US, left: [{ remaining: 0 }] })
    expect(granted(NOON_US + 6 * SECOND_US, 5, [lower])).toBe(1)
    expect(granted(NOON_US + 7 * MINUTE_US, 50, [lower])).toBe(10)
  })

  test('a faster rate of the same burst comes back at its own speed', () => {
    const { ask, granted } = used(aRate({ requests: 10, perUs: HOUR_US }))
    const faster = aRate({ requests: 10, perUs: SECOND_US })
    expect(ask(NOON_US, [faster])).toMatchObject({ ok: false, retryUs: SECOND_US / 10 })
    expect(granted(NOON_US + SECOND_US / 10, 5, [faster])).toBe(1)
    expect(granted(NOON_US + 2 * SECOND_US, 50, [faster])).toBe(10)
  })

  test('a raised burst is there at once, a lowered one too', () => {
    const { granted } = used(aRate({ requests: 60, burst: 10 }))
    expect(granted(NOON_US, 100, [aRate({ requests: 60, burst: 25 })])).toBe(15)
    const lowered = [aRate({ requests: 60, burst: 3 })]
    expect(granted(NOON_US, 100, lowered)).toBe(0)
    expect(granted(NOON_US + SECOND_US, 100, lowered)).toBe(1)
  })

  test('a limit that was at rest is whole under the new rate', () => {
    const { granted } = used(aRate({ requests: 7777, perUs: SECOND_US, burst: 5 }))
    expect(granted(NOON_US + MINUTE_US, 100, [aRate({ requests: 9 })])).toBe(9)
  })

  test('a rate that is added, taken away and added again is a rate like any other', () => {
    const { granted } = bucket()
    const rate = [aRate({ requests: 5 })]
    expect(granted(NOON_US, 50, [aQuota()])).toBe(50)
    expect(granted(NOON_US, 50, [...rate, aQuota()])).toBe(5)
    expect(granted(NOON_US, 50, [aQuota()])).toBe(50)
    expect(granted(NOON_US, 50, rate)).toBe(0)
    expect(granted(NOON_US, 50, [])).toBe(50)
  })
})

describe('a clock that is set back', () => {
  test('refuses nobody for longer than the limit takes to be whole', () => {
    const { ask, granted } = bucket(aRate({ requests: 10 }))
    granted(NOON_US, 10)
    const before = NOON_US - DAY_US
    expect(ask(before)).toMatchObject({ ok: false, retryUs: 6 * SECOND_US })
    expect(granted(before + 6 * SECOND_US, 5)).toBe(1)
    expect(granted(before + 2 * MINUTE_US, 50)).toBe(10)
  })

  test('by a little gives nothing away', () => {
    const { granted } = bucket(aRate({ requests: 10 }))
    expect(granted(NOON_US, 7)).toBe(7)
    expect(granted(NOON_US - 1000, 10)).toBeLessThanOrEqual(3)
  })

  test('over midnight begins the quota of that day anew, once', () => {
    const midnight = Date.UTC(2026, 10, 23) * 1000
    const { granted } = bucket(aQuota({ requests: 5 }))
    expect(granted(midnight, 9)).toBe(5)
    expect(granted(midnight - 1, 9)).toBe(5)
    expect(granted(midnight - 1, 9)).toBe(0)
  })
})

describe('a calendar window', () => {
  const at = (text: string) => Date.parse(text) * 1000

  test.each<[QuotaPeriod, string, string, string]>([
    ['day', '2026-11-22T12:00:00Z', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['day', '2026-11-22T00:00:00Z', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['day', '2026-11-22T23:59:59.999Z', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['day', '2026-12-31T23:59:59.999Z', '2026-12-31T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['day', '2028-02-28T10:00:00Z', '2028-02-28T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['day', '2027-02-28T10:00:00Z', '2027-02-28T00:00:00Z', '2027-03-01T00:00:00Z'],
    ['month', '2026-11-22T12:00:00Z', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z'],
    ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['month', '2026-01-31T12:00:00Z', '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
    ['month', '2028-02-29T23:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    ['month', '2100-02-28T23:00:00Z', '2100-02-01T00:00:00Z', '2100-03-01T00:00:00Z'],
    ['month', '2026-12-01T00:00:00Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ])('the %s of %s is from %s to before %s', (period, now, start, end) => {
    expect(quotaWindow(period, at(now))).toEqual({ startUs: at(start), endUs: at(end) })
    expect(quotaWindow(period, at(now) + 999)).toEqual({ startUs: at(start), endUs: at(end) })
  })

  test('is UTC wherever the process runs', () => {
    expect(quotaWindow('day', at('2026-11-22T23:30:00-11:00')).startUs).toBe(at('2026-11-23T00:00:00Z'))
  })
})

describe('a quota', () => {
  test('is a number per window, however it is spread', () => {
    const { granted } = bucket(aQuota({ requests: 5 }))
    expect(granted(NOON_US, 3)).toBe(3)
    expect(granted(NOON_US + HOUR_US, 10)).toBe(2)
    expect(granted(NOON_US + 12 * HOUR_US - 1, 10)).toBe(0)
    expect(granted(NOON_US + 12 * HOUR_US, 10)).toBe(5)
  })

  test('says what remains and when the window ends', () => {
    const { ask } = bucket(aQuota({ requests: 2, period: 'month' }))
    const untilDecember = (8 * 24 + 12) * HOUR_US
    expect(ask(NOON_US).left).toEqual([
      { limit: aQuota({ requests: 2, period: 'month' }), remaining: 1, resetUs: untilDecember },
    ])
    expect(ask(NOON_US).left[0]?.remaining).toBe(0)
    expect(ask(NOON_US)).toMatchObject({
      ok: false,
      code: 'quota_exhausted',
      retryUs: untilDecember,
      left: [{ remaining: 0 }],
    })
  })

  test('that is lowered below what is used grants nothing more, and raised again goes on', () => {
    const { granted } = bucket(aQuota({ requests: 10 }))
    expect(granted(NOON_US, 8)).toBe(8)
    expect(granted(NOON_US, 8, [aQuota({ requests: 5 })])).toBe(0)
    expect(granted(NOON_US, 8, [aQuota({ requests: 12 })])).toBe(4)
  })
})

describe('rate and quota together', () => {
  const both = [aRate({ requests: 2 }), aQuota({ requests: 3 })]

  test('are spent both or neither', () => {
    const { granted, ask } = bucket(...both)
    expect(granted(NOON_US, 20)).toBe(2)
    // the rate refused eighteen times, and the quota lost none of them
    expect(ask(NOON_US).left.map(({ remaining }) => remaining)).toEqual([0, 1])
    expect(granted(NOON_US + MINUTE_US, 20)).toBe(1)
    // the quota refused nineteen times, and the rate lost none of them
    expect(ask(NOON_US + MINUTE_US)).toMatchObject({ ok: false, code: 'quota_exhausted' })
    expect(ask(NOON_US + MINUTE_US).left.map(({ remaining }) => remaining)).toEqual([1, 0])
  })

  test('a rate that has been at rest is whole, also where the quota refuses', () => {
    const { granted, ask } = bucket(aRate({ requests: 7 }), aQuota({ requests: 3 }))
    granted(NOON_US, 3)
    expect(ask(NOON_US + HOUR_US)).toMatchObject({ ok: false, left: [{ remaining: 7, resetUs: 0 }, { remaining: 0 }] })
  })

  test('where both are used up the rate answers, and the wait is the longer of the two', () => {
    const { granted, ask } = bucket(aRate({ requests: 2 }), aQuota({ requests: 2 }))
    granted(NOON_US, 2)
    expect(ask(NOON_US)).toMatchObject({ code: 'rate_limited', retryUs: 12 * HOUR_US })
  })
})

test('without limits every request passes and leaves the bucket as it was', () => {
  expect(spend(FRESH_BUCKET, [], NOON_US)).toEqual({ state: FRESH_BUCKET, spent: { ok: true, left: [] } })
})
