import { expect, test } from 'vitest'
import type { Limit } from '../../src/core/limit.ts'
import { localLimiter, SWEEP_EVERY_US } from '../../src/enforce/local-limiter.ts'
import { limiterContract } from '../contract/limiter.contract.ts'

const NOON_US = Date.UTC(2026, 10, 22, 12) * 1000

const fresh = () => {
  let now = NOON_US
  return {
    limiter: localLimiter(() => now),
    passUs: (us: number) => {
      now += us
    },
  }
}

limiterContract('in this process', fresh)

test('buckets that are whole again are forgotten', () => {
  const { limiter, passUs } = fresh()
  const limits: readonly Limit[] = [{ kind: 'rate', requests: 10, perUs: 1_000_000, burst: 10 }]
  for (let i = 0; i < 1000; i++) limiter.spend(`key-${i}`, limits)
  expect(limiter.size()).toBe(1000)
  passUs(SWEEP_EVERY_US + 1_000_000)
  limiter.spend('another', limits)
  expect(limiter.size()).toBe(1)
})

test('a clock that steps back neither grants more nor refuses for long', () => {
  const { limiter, passUs } = fresh()
  const limits: readonly Limit[] = [{ kind: 'rate', requests: 60, perUs: 60_000_000, burst: 2 }]
  expect(limiter.spend('a', limits)).toMatchObject({ ok: true })
  passUs(-500_000)
  expect(limiter.spend('a', limits)).toMatchObject({ ok: false, retryUs: 500_000 })
})

test('a clock that was set back keeps no bucket for longer than its limit lasts', () => {
  const { limiter, passUs } = fresh()
  const limits: readonly Limit[] = [{ kind: 'rate', requests: 10, perUs: 1_000_000, burst: 10 }]
  passUs(-24 * 3_600_000_000)
  limiter.spend('a', limits)
  passUs(SWEEP_EVERY_US + 1_000_000)
  limiter.spend('another', limits)
  expect(limiter.size()).toBe(1)
})
