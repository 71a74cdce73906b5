/** The bypass corpus' cases about limits in Redis, on a real one. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Spent } from '../../src/core/limit.ts'
import { CASES } from '../corpus/cases.ts'
import { REDIS_CASES, type RedisCase } from '../corpus/redis-cases.ts'
import { aQuota, aRate, HOUR_US, SECOND_US } from '../support/make.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { PREFIX, ready, readyLimits } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})

const KEY = 'kw_prod_0123456789ab'
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const clock = () => performance.now() * 1000
const passed = (all: readonly Spent[]) => all.filter(({ ok }) => ok).length

/** How many of a row of requests pass. */
async function granted(spend: () => Spent | Promise<Spent>, tries: number): Promise<number> {
  const all: Spent[] = []
  for (let i = 0; i < tries; i++) all.push(await spend())
  return passed(all)
}

const RUNS: Readonly<Record<RedisCase, () => Promise<void>>> = {
  'MISC-rl-flush': async () => {
    const limits = await readyLimits(redis.url, { leaseSize: () => 0 })
    const quota = [aQuota({ requests: 10_000_000, period: 'month' })]
    let flushes = 0
    let flushing = true
    const flush = (async () => {
      while (flushing) {
        await redis.cli('SCRIPT', 'FLUSH')
        flushes++
      }
    })()
    const answers: Spent[] = []
    // a machine that stops for a second takes the connection with it: what was asked then may have been counted, or not
    let lost = 0
    while (flushes < 25 || answers.length < 1000) {
      const asked = await Promise.allSettled(Array.from({ length: 20 }, async () => limits.spend(KEY, quota)))
      for (const one of asked) {
        if (one.status === 'fulfilled') answers.push(one.value)
        else {
          expect(one.reason).toMatchObject({ code: 'redis_unreachable' })
          lost++
        }
      }
    }
    flushing = false
    await flush
    expect(passed(answers)).toBe(answers.length)
    // each of them was counted, and once
    const { left } = await (await ready(limits)).spend(KEY, quota)
    const counted = 10_000_000 - (left[0]?.remaining ?? 0)
    expect(counted).toBeGreaterThanOrEqual(answers.length + 1)
    expect(counted).toBeLessThanOrEqual(answers.length + lost + 1)
  },

  'MISC-rl-key-inject': async () => {
    await redis.cli('FLUSHALL')
    const limits = await readyLimits(redis.url)
    const names = [
      'a}{b',
      'a}',
      '{a',
      'a',
      '',
      'a\nb',
      'a\r\nDEL x',
      'a\0',
      'a'.repeat(10_000),
      `${KEY}}`,
      `${KEY}\n`,
      KEY,
      '../x',
      'é',
    ]
    const rate = [aRate({ requests: 2, perUs: HOUR_US })]
    for (const name of names) expect(await granted(() => limits.spend(name, rate), 5), JSON.stringify(name)).toBe(2)
    const keys = (await redis.cli('KEYS', '*')).split('\n').filter((key) => !key.includes('{#') || key.length < 60)
    for (const key of keys) expect(key).toMatch(/^keyward:\{(kw_prod_[0-9A-Za-z]{12}|#[0-9a-f]{32})\}$/)
    // each of them its own, and the probe's
    expect(keys).toHaveLength(names.length + 1)
  },

  'MISC-rl-clock': async () => {
    for (const leaseSize of [0, 10]) {
      const bucket = `kw_prod_clock000000${leaseSize}`.slice(0, 20)
      const rate = [aRate({ requests: 60, perUs: HOUR_US })]
      const replicas = await Promise.all(
        [0, 600 * SECOND_US, -600 * SECOND_US].map((off) =>
          readyLimits(redis.url, { nowUs: () => clock() + 10_000 * SECOND_US + off, leaseSize: () => leaseSize }),
        ),
      )
      let count = 0
      for (let i = 0; i < 40; i++) for (const { spend } of replicas) if ((await spend(bucket, rate)).ok) count++
      expect(count).toBe(60)
    }
    // and one whose clock is moved while it holds a lease
    let off = 0
    const moved = await readyLimits(redis.url, { nowUs: () => clock() + 10_000 * SECOND_US + off, leaseSize: () => 10 })
    const rate = [aRate({ requests: 60, perUs: HOUR_US })]
    const before = await granted(() => moved.spend('kw_prod_clockclock12', rate), 25)
    off = 600 * SECOND_US
    const ahead = await granted(() => moved.spend('kw_prod_clockclock12', rate), 10)
    off = -600 * SECOND_US
    const behind = await granted(() => moved.spend('kw_prod_clockclock12', rate), 100)
    // what a lease gives back after another one, time gives back: nobody gains by a clock
    expect(before + ahead + behind).toBeLessThanOrEqual(60)
    expect(before + ahead + behind).toBeGreaterThanOrEqual(50)
  },

  'MISC-rl-fanout': async () => {
    const rate = [aRate({ requests: 100, perUs: SECOND_US })]
    const replicas = await Promise.all(Array.from({ length: 8 }, () => readyLimits(redis.url)))
    const answers: Promise<Spent | undefined>[] = []
    // undefined: not to be had, where the machine stopped for a second
    const asked = async (spent: () => Spent | Promise<Spent>) => {
      try {
        return await spent()
      } catch {
        return undefined
      }
    }
    const start = performance.now()
    // four times what the limit has, by the clock: where this process is late, more come at once
    for (let sinceMs = 0; sinceMs < 4000; sinceMs = performance.now() - start) {
      while (answers.length <= sinceMs * 0.4) {
        for (const { spend } of replicas) answers.push(asked(() => spend('kw_prod_fanoutfanout', rate)))
      }
      await pause(20)
    }
    const all = (await Promise.all(answers)).filter((one) => one !== undefined)
    const lost = answers.length - all.length
    const seconds = (performance.now() - start) / 1000
    expect(passed(all)).toBeLessThanOrEqual(100 * seconds * 1.02 + 100)
    expect(passed(all)).toBeGreaterThan(100 * seconds * 0.98 - lost)
  },

  'MISC-rl-acl': async () => {
    const own = await startRedis({
      args: [
        ...['--user', 'keyward', 'on', '>s3cret', 'resetkeys', '~keyward:*', 'resetchannels'],
        ...['-@all', '+eval', '+evalsha', '+get', '+set', '+time', '--requirepass', 'admin'],
      ],
      cliArgs: ['--pass', 'admin', '--no-auth-warning'],
    })
    const limits = await readyLimits(`redis://keyward:s3cret@127.0.0.1:${own.port}`)
    expect((await limits.spend(KEY, [aRate({ requests: 5 })])).ok).toBe(true)
    const asKeyward = (...command: readonly string[]) => own.cli('--user', 'keyward', '--pass', 's3cret', ...command)
    for (const command of [
      ['KEYS', '*'],
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['DEL', `keyward:{${KEY}}`],
      ['SCAN', '0'],
      ['ACL', 'LIST'],
      ['MONITOR'],
      ['SCRIPT', 'FLUSH'],
      ['SUBSCRIBE', 'x'],
      ['GET', 'another:key'],
      ['SET', 'another:key', '1'],
      ['EVAL', 'return redis.call("FLUSHALL")', '0'],
      ['EVAL', 'return redis.call("GET", KEYS[1])', '1', 'another:key'],
    ]) {
      expect(await asKeyward(...command), command.join(' ')).toMatch(
        /NOPERM|can't run this command|No permissions|can't access/i,
      )
    }
  },

  'MISC-rl-poison': async () => {
    let found = 0
    const limits = await readyLimits(redis.url, { onGarbage: () => found++ })
    const of = [aRate({ requests: 3, perUs: HOUR_US }), aQuota({ requests: 50 })]
    const key = `${PREFIX}{${KEY}}`
    const poisons: readonly (readonly string[])[] = [
      ['SET', key, 'abc'],
      ['SET', key, ''],
      ['SET', key, 'nan'],
      ['SET', key, 'nan nan nan nan nan nan nan nan'],
      ['SET', key, '-1 0 3 3600000000 0 0 0 0'],
      ['SET', key, '1e999 0 3 3600000000 0 0 0 0'],
      ['SET', key, '0 0 0 0 0 99999999999999999999 0 0'],
      ['SET', key, '9 5 3 3600000000 0 0 0 0'],
      ['SET', key, '9 0 0 3600000000 0 0 0 0'],
      ['SET', key, '0 0 3 0 0 0 0 0'],
      ['SET', key, '0x7 0 0 0 0 0 0 0'],
      ['SET', key, '1 1 1 1 1 1 1 1 1'],
      ['SET', key, '9'.repeat(100_000)],
      ['HSET', key, 'a', 'b'],
      ['RPUSH', key, 'a'],
      ['SADD', key, 'a'],
      ['ZADD', key, '1', 'a'],
      ['XADD', key, '*', 'a', 'b'],
    ]
    for (const [i, poison] of poisons.entries()) {
      await redis.cli('DEL', key)
      await redis.cli(...poison)
      const what = poison.join(' ').slice(0, 80)
      expect(await granted(() => limits.spend(KEY, of), 9), what).toBe(3)
      expect(found, what).toBe(i + 1)
    }
    // numbers that could be ours but for their size refuse at most until the limit would be whole
    await redis.cli('SET', key, '9007199254740991 0 3 3600000000 0 0 0 0')
    expect(await limits.spend(KEY, of)).toMatchObject({ ok: false, retryUs: HOUR_US / 3 })
  },
}

describe('the corpus, limits in Redis', () => {
  const known = new Map(CASES.map((one) => [one.id, one]))
  test.each(REDIS_CASES)('%s', THREE_TRIALS, async (id) => {
    expect(known.has(id)).toBe(true)
    // a trial before has left its buckets
    await redis.cli('FLUSHALL')
    await RUNS[id]()
  })
})
