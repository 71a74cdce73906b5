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

/** @param fresh a limiter with nothing spent, in the middle of a UTC day */
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
  })
