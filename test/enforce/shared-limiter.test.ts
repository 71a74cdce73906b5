import { describe, expect, test } from 'vitest'
import type { Limit } from '../../src/core/limit.ts'
import { type ModeChange, sharedLimiter } from '../../src/enforce/shared-limiter.ts'
import { limiterContract } from '../contract/limiter.contract.ts'
import { fakeSharedLimits } from '../support/fake-shared-limits.ts'
import { fakeTime } from '../support/fake-time.ts'

const LIMITS: readonly Limit[] = [{ kind: 'rate', requests: 100, perUs: 60_000_000, burst: 100 }]

function setUp(time = fakeTime()) {
  const shared = fakeSharedLimits(time.nowUs, 1)
  const changes: ModeChange[] = []
  const counted = { fallbacks: 0, roundTrips: 0, troubles: new Map<string, number>() }
  const limiter = sharedLimiter({
    ...time,
    shared,
    jitter: () => 0.5,
    replicas: 1,
    rank: () => 0,
    onMode: (change) => changes.push(change),
    onRoundTrip: () => counted.roundTrips++,
    onFallback: () => counted.fallbacks++,
    onTrouble: (code) => counted.troubles.set(code, (counted.troubles.get(code) ?? 0) + 1),
  })
  const ask = (failure: 'local' | 'open' | 'closed' = 'local', bucket = 'a') => limiter.spend(bucket, LIMITS, failure)
  /** How long one spend took by the clock, which is told to go on. */
  const timed = async (failure: 'local' | 'open' | 'closed' = 'local') => {
    const start = time.nowMs()
    let took = -1
    const asked = Promise.resolve(ask(failure)).then((spending) => {
      took = time.nowMs() - start
      return spending
    })
    for (let i = 0; took < 0 && i < 1000; i++) await time.pass(1)
    return { took: Math.max(0, took), spending: await asked }
  }
  return { time, shared, changes, counted, limiter, ask, timed }
}

limiterContract('shared, nothing in its way', () => {
  const { time, limiter } = setUp()
  return { limiter, passUs: (us) => time.pass(us / 1000) }
})

describe('shared limits that answer', () => {
  test('are passed through, an answer at once as an answer at once', async () => {
    const { shared, ask, counted } = setUp()
    expect(await ask()).toMatchObject({ ok: true, left: [{ remaining: 99 }] })
    shared.be('at once')
    expect(ask()).toMatchObject({ ok: true, left: [{ remaining: 98 }] })
    expect(counted).toMatchObject({ fallbacks: 0, roundTrips: 1 })
  })
})

describe('shared limits that stall', () => {
  test('cost callers 25 ms at most, for 75 ms at most, and nobody anything from then on', async () => {
    const { time, shared, timed, limiter, changes } = setUp()
    shared.be('stall')
    const began = time.nowMs()
    for (let i = 0; i < 3; i++) {
      expect(limiter.mode()).toBe('shared')
      expect((await timed()).took).toBeLessThanOrEqual(25)
    }
    expect([time.nowMs() - began, limiter.mode(), changes]).toMatchObject([75, 'fallback', [{ why: 'late' }]])
    expect(await timed()).toMatchObject({ took: 0, spending: { ok: true } })
  })

  test('are sent nothing but probes, which stop when it stops', async () => {
    const { shared, timed, time, ask, limiter } = setUp()
    shared.be('stall')
    for (let i = 0; i < 4; i++) await timed()
    const before = shared.sent().length
    for (let i = 0; i < 100; i++) {
      await ask()
      await time.pass(20)
    }
    const probes = shared.sent().slice(before)
    expect(new Set(probes)).toEqual(new Set(['ping']))
    expect(probes.length).toBeGreaterThanOrEqual(4)
    expect(probes.length).toBeLessThanOrEqual(10)
    limiter.stop()
    await time.pass(5000)
    expect(shared.sent().length).toBe(before + probes.length)
    expect(time.timers()).toBe(0)
  })

  test('a hundred callers at once all have an answer within 25 ms', async () => {
    const { shared, time, ask, limiter } = setUp()
    shared.be('stall')
    const all = Promise.all(Array.from({ length: 100 }, () => ask()))
    await time.pass(25)
    expect((await all).filter((spending) => spending?.ok).length).toBe(25)
    // by the probe alone, though nobody asks any more
    await time.pass(50)
    expect(limiter.mode()).toBe('fallback')
  })

  test('a pause that is over within 75 ms is no outage, however many asked meanwhile', async () => {
    const { shared, time, ask, limiter, counted } = setUp()
    shared.be('stall')
    const asked = Array.from({ length: 100 }, () => ask())
    await time.pass(40)
    asked.push(...Array.from({ length: 100 }, () => ask()))
    await time.pass(30)
    shared.be('answer')
    await time.pass(100)
    expect((await Promise.all(asked)).length).toBe(200)
    expect([limiter.mode(), counted.fallbacks]).toEqual(['shared', 200])
    // what was sent was counted, if late
    expect(await ask('local', 'a')).toMatchObject({ ok: false })
    expect(await ask('local', 'b')).toMatchObject({ ok: true, left: [{ remaining: 99 }] })
  })
})

describe('shared limits that refuse to work', () => {
  test('are left alone after a probe that fails too, and each API has what it asked for', async () => {
    const { shared, time, ask, limiter, counted } = setUp()
    shared.be('fail')
    expect(await ask('open')).toEqual({ ok: true, left: [] })
    await time.pass(0)
    expect(limiter.mode()).toBe('fallback')
    expect(ask('closed')).toBe(undefined)
    expect(ask('open')).toEqual({ ok: true, left: [] })
    expect(ask('local')).toMatchObject({ ok: true, left: [{ limit: LIMITS[0], remaining: 24 }] })
    expect([counted.fallbacks, counted.troubles.get('redis_readonly')]).toEqual([4, 2])
  })
})

describe('shared limits that are back', () => {
  test('are used again within a second and a quarter, and the change is told with how long it lasted', async () => {
    const { shared, time, ask, limiter, changes } = setUp()
    shared.be('fail')
    await ask()
    await time.pass(10_000)
    shared.be('answer')
    await time.pass(1250)
    expect(limiter.mode()).toBe('shared')
    expect(changes.map(({ mode, why }) => [mode, why])).toEqual([
      ['fallback', 'redis_readonly'],
      ['shared', undefined],
    ])
    expect(changes[1]?.lastedMs).toBeGreaterThan(10_000)
    expect(changes[1]?.lastedMs).toBeLessThan(11_250)
  })

  // at first a probe from before the fallback still hangs, and is not over when the next one is due
  test.each([0, 25, 100, 240, 300, 330, 700])(
    'are used again though this process stood still after %i ms',
    async (ms) => {
      const unread: (() => void)[] = []
      let still = false
      const onceRead = (act: () => void) => (still ? void unread.push(act) : act())
      const { shared, time, ask, limiter } = setUp({ ...fakeTime(), onceRead })
      shared.be('fail')
      const asked = Array.from({ length: 6 }, () => ask())
      // the errors are on their way, and nothing answers any more
      shared.be('stall')
      await time.pass(ms)
      expect([limiter.mode(), (await Promise.all(asked)).length]).toEqual(['fallback', 6])
      // all timers are due before anything is read
      still = true
      await time.pass(400)
      still = false
      for (const act of unread.splice(0)) act()
      const before = shared.sent().length
      await time.pass(700)
      expect(shared.sent().length).toBeGreaterThan(before)
      shared.be('answer')
      await time.pass(1250)
      expect([limiter.mode(), (await ask())?.ok]).toEqual(['shared', true])
    },
  )

  test('hear of what was granted meanwhile', async () => {
    const { shared, time, ask, timed, limiter } = setUp()
    for (let i = 0; i < 90; i++) await ask()
    shared.be('fail')
    await ask()
    await time.pass(0)
    let granted = 0
    for (let i = 0; i < 600; i++) {
      if ((await timed()).spending?.ok) granted++
      await time.pass(100)
    }
    // ten were left, and a minute brings a hundred
    expect(granted).toBeGreaterThanOrEqual(105)
    expect(granted).toBeLessThanOrEqual(111)
    shared.be('answer')
    await time.pass(1250)
    expect(limiter.mode()).toBe('shared')
    await ask()
    await time.pass(0)
    expect(shared.sent()).toContain('remind')
    let after = 0
    for (let i = 0; i < 50; i++) if ((await ask())?.ok) after++
    expect(after).toBeLessThan(5)
  })
})

describe('shared limits that nobody asks', () => {
  test('are looked at, and fall back when they are gone', async () => {
    const { shared, time, limiter, changes } = setUp()
    shared.be('fail')
    limiter.look()
    await time.pass(100)
    expect(changes).toMatchObject([{ mode: 'fallback', why: 'redis_readonly' }])
    // never shared before, so there is nothing to say of how long
    expect(changes[0]?.lastedMs).toBeUndefined()
    shared.be('answer')
    await time.pass(1250)
    expect(limiter.mode()).toBe('shared')
  })

  test('are left alone where requests asked them meanwhile', async () => {
    const { shared, limiter, ask } = setUp()
    await ask()
    limiter.look()
    expect(shared.sent()).not.toContain('ping')
    limiter.look()
    expect(shared.sent()).toContain('ping')
  })
})
