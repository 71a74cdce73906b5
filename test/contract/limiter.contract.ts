/** Run against every Limiter there is: one meaning, several implementations. */
import { describe, expect, test } from 'vitest'
import type { Limit, Spent } from '../../src/core/limit.ts'
import type { Limiter } from '../../src/enforce/check.ts'

export type Clocked = { readonly limiter: Limiter; readonly passUs: (us: number) => Promise<void> | void }

const MINUTE_US = 60_000_000
const rate = (requests: number, burst = requests): Limit => ({ kind: 'rate', requests, perUs: MINUTE_US, burst })
const daily = (requests: number): Limit => ({ kind: 'quota', requests, period: 'day' })

/** One request of a limiter that can be asked. */
async function spend(limiter: Limiter, limits: readonly Limit[], bucket = 'a'): Promise<Spent> {
  const spending = await limiter.spend(bucket, limits, 'closed')
  if (spending === undefined) throw new Error('the limiter could not be asked')
  return spending
}

async function granted(limiter: Limiter, tries: number, limits: readonly Limit[], bucket = 'a'): Promise<number> {
  let count = 0
  for (let i = 0; i < tries; i++) if ((await spend(limiter, limits, bucket)).ok) count++
  return count
}

/** All of them at once, as callers come. */
async function grantedTogether(limiter: Limiter, tries: number, limits: readonly Limit[]): Promise<number> {
  const spent = await Promise.all(Array.from({ length: tries }, () => spend(limiter, limits)))
  return spent.filter(({ ok }) => ok).length
}

const HOUR_US = 3_600_000_000

/** @param fresh a limiter with nothing spent, at noon of a UTC day that is not the last of its month */
export const limiterContract = (name: string, fresh: () => Promise<Clocked> | Clocked) =>
  describe(`limiter contract: ${name}`, () => {
    test.each([1, 9, 14, 100, 600])('a limit of %i per minute grants exactly that many at once', async (requests) => {
      const { limiter } = await fresh()
      expect(await granted(limiter, requests + 5, [rate(requests)])).toBe(requests)
    })

    test('two buckets never share what is left', async () => {
      const { limiter } = await fresh()
      expect(await granted(limiter, 5, [rate(2)], 'a')).toBe(2)
      expect(await granted(limiter, 5, [rate(2)], 'b')).toBe(2)
    })

    test('what was spent comes back at the rate, not at once', async () => {
      const { limiter, passUs } = await fresh()
      await granted(limiter, 60, [rate(60)])
      await passUs(1_000_000)
      expect(await granted(limiter, 5, [rate(60)])).toBe(1)
      await passUs(10_000_000)
      expect(await granted(limiter, 50, [rate(60)])).toBe(10)
    })

    test('a refusal says when the next request will pass, and then it does', async () => {
      const { limiter, passUs } = await fresh()
      await granted(limiter, 2, [rate(2)])
      const refused = await spend(limiter, [rate(2)])
      expect(refused).toMatchObject({ ok: false, code: 'rate_limited' })
      if (refused.ok) return
      expect(refused.retryUs).toBeGreaterThan(MINUTE_US / 2 - 2_000_000)
      expect(refused.retryUs).toBeLessThanOrEqual(MINUTE_US / 2)
      await passUs(refused.retryUs)
      expect((await spend(limiter, [rate(2)])).ok).toBe(true)
    })

    test('a quota is a number per window, however slowly it is used', async () => {
      const { limiter, passUs } = await fresh()
      expect(await granted(limiter, 3, [daily(5)])).toBe(3)
      await passUs(3_600_000_000)
      expect(await granted(limiter, 10, [daily(5)])).toBe(2)
      expect(await spend(limiter, [daily(5)])).toMatchObject({ ok: false, code: 'quota_exhausted' })
      await passUs(24 * 3_600_000_000)
      expect(await granted(limiter, 10, [daily(5)])).toBe(5)
    })

    test('rate and quota are spent together or not at all', async () => {
      const { limiter, passUs } = await fresh()
      const both = [rate(2), daily(3)]
      expect(await granted(limiter, 20, both)).toBe(2)
      await passUs(MINUTE_US)
      expect(await granted(limiter, 20, both)).toBe(1)
      expect(await spend(limiter, both)).toMatchObject({ ok: false, code: 'quota_exhausted' })
    })

    test('what is left is told with every answer', async () => {
      const { limiter } = await fresh()
      const spent = await spend(limiter, [rate(10), daily(7)])
      expect(spent.left.map(({ remaining }) => remaining)).toEqual([9, 6])
    })

    test('a limit that is raised counts from the next request on', async () => {
      const { limiter } = await fresh()
      await granted(limiter, 2, [rate(2)])
      expect((await spend(limiter, [rate(2)])).ok).toBe(false)
      expect(await granted(limiter, 500, [rate(240)])).toBeGreaterThan(100)
    })

    test('a request without limits passes, and nothing is told of limits', async () => {
      const { limiter } = await fresh()
      expect(await spend(limiter, [])).toEqual({ ok: true, left: [] })
    })

    test.each([1, 7, 100, 2000])(
      'of many requests at the same time a limit of %i grants exactly that many',
      async (requests) => {
        const { limiter } = await fresh()
        expect(await grantedTogether(limiter, requests + 50, [rate(requests)])).toBe(requests)
        expect(await grantedTogether(limiter, 50, [rate(requests)])).toBe(0)
      },
    )

    test('of many requests at the same time rate and quota grant as many as both have', async () => {
      const { limiter } = await fresh()
      expect(await grantedTogether(limiter, 90, [rate(60), daily(40)])).toBe(40)
      expect(await grantedTogether(limiter, 90, [rate(60)])).toBe(20)
    })

    test('a burst is what passes at once; the rate is what comes back', async () => {
      const { limiter, passUs } = await fresh()
      const bursty = [rate(60, 3)]
      expect(await granted(limiter, 10, bursty)).toBe(3)
      await passUs(2_000_000)
      expect(await granted(limiter, 10, bursty)).toBe(2)
      await passUs(MINUTE_US)
      expect(await granted(limiter, 10, bursty)).toBe(3)
    })

    test('a request that is refused costs nothing', async () => {
      const { limiter, passUs } = await fresh()
      expect(await granted(limiter, 200, [rate(2)])).toBe(2)
      await passUs(MINUTE_US / 2)
      expect(await granted(limiter, 200, [rate(2)])).toBe(1)
      await passUs(MINUTE_US)
      expect(await granted(limiter, 200, [rate(2)])).toBe(2)
    })

    test('a steady caller at the rate is never refused', async () => {
      const { limiter, passUs } = await fresh()
      const steady = [rate(60, 1)]
      for (let i = 0; i < 50; i++) {
        expect((await spend(limiter, steady)).ok).toBe(true)
        await passUs(1_000_000)
      }
    })

    test.each(['day', 'month'] as const)(
      'a quota per %s says when its window ends, and then all of it is there',
      async (period) => {
        const { limiter, passUs } = await fresh()
        const quota: Limit = { kind: 'quota', requests: 4, period }
        expect(await granted(limiter, 9, [quota])).toBe(4)
        const refused = await spend(limiter, [quota])
        expect(refused).toMatchObject({ ok: false, code: 'quota_exhausted', left: [{ remaining: 0 }] })
        if (refused.ok) return
        expect(refused.retryUs).toBe(refused.left[0]?.resetUs)
        await passUs(refused.retryUs - 1)
        expect(await granted(limiter, 9, [quota])).toBe(0)
        await passUs(1)
        expect(await granted(limiter, 9, [quota])).toBe(4)
      },
    )

    test('where rate and quota refuse, the first gives the code and the longest the wait', async () => {
      const { limiter } = await fresh()
      const both = [rate(2), daily(2)]
      expect(await granted(limiter, 5, both)).toBe(2)
      const refused = await spend(limiter, both)
      expect(refused).toMatchObject({ ok: false, code: 'rate_limited', left: [{ remaining: 0 }, { remaining: 0 }] })
      expect(refused.ok ? 0 : refused.retryUs).toBe(12 * HOUR_US)
    })

    test('what is left says when the rate is whole and when the window ends', async () => {
      const { limiter, passUs } = await fresh()
      const both = [rate(60), daily(7)]
      await spend(limiter, both)
      expect((await spend(limiter, both)).left).toEqual([
        { limit: both[0], remaining: 58, resetUs: 2_000_000 },
        { limit: both[1], remaining: 5, resetUs: 12 * HOUR_US },
      ])
      await passUs(5_000_000)
      expect((await spend(limiter, both)).left).toEqual([
        { limit: both[0], remaining: 59, resetUs: 1_000_000 },
        { limit: both[1], remaining: 4, resetUs: 12 * HOUR_US - 5_000_000 },
      ])
    })

    test('a limit that is lowered keeps what is outstanding, and nobody waits longer than the new limit takes', async () => {
      const { limiter, passUs } = await fresh()
      expect(await granted(limiter, 1000, [{ kind: 'rate', requests: 1000, perUs: HOUR_US, burst: 1000 }])).toBe(1000)
      expect(await spend(limiter, [rate(10)])).toMatchObject({ ok: false, retryUs: 6_000_000 })
      await passUs(6_000_000)
      expect(await granted(limiter, 5, [rate(10)])).toBe(1)
      await passUs(MINUTE_US)
      expect(await granted(limiter, 50, [rate(10)])).toBe(10)
    })

    test('a quota that is raised goes on from what is used', async () => {
      const { limiter } = await fresh()
      expect(await granted(limiter, 9, [daily(8)])).toBe(8)
      expect(await granted(limiter, 9, [daily(5)])).toBe(0)
      expect(await granted(limiter, 9, [daily(12)])).toBe(4)
    })

    test('a clock that steps back refuses nobody for longer than the limit takes to be whole', async () => {
      const { limiter, passUs } = await fresh()
      expect(await granted(limiter, 20, [rate(10)])).toBe(10)
      await passUs(-3 * HOUR_US)
      expect(await spend(limiter, [rate(10)])).toMatchObject({ ok: false, retryUs: 6_000_000 })
      await passUs(MINUTE_US)
      expect(await granted(limiter, 20, [rate(10)])).toBe(10)
    })

    test('limits that are named anew on each request, with the same values, are the same limits', async () => {
      const { limiter } = await fresh()
      let count = 0
      for (let i = 0; i < 30; i++) if ((await spend(limiter, [rate(20), daily(12)])).ok) count++
      expect(count).toBe(12)
    })
  })
