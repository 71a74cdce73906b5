/** When statuses of policy are looked at and written. */
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { makeFollowing } from '../../src/operator/following.ts'
import { type Reporting, startReporting } from '../../src/operator/reporting.ts'

/** Time that passes when it is told to. */
function aReporting(
  due: () => Readonly<Record<string, string>>,
  write: (one: string) => 'written' | 'overtaken' | Error,
) {
  const timers = new Set<{ readonly at: number; readonly act: () => void }>()
  const written: string[] = []
  const troubles: (readonly [string, number | undefined])[] = []
  let now = 0
  let passes = 0
  const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))
  const reporting: Reporting = startReporting<string>({
    due: () => {
      passes += 1
      return new Map(Object.entries(due()))
    },
    write: async (one) => {
      const answer = write(one)
      if (answer instanceof Error) throw answer
      written.push(one)
      return answer
    },
    onTrouble: (what, _error, retryMs) => troubles.push([what, retryMs]),
    steadyMs: () => now,
    jitter: () => 1,
    after: (delayMs, act) => {
      const timer = { at: now + delayMs, act }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  })
  return {
    reporting,
    written,
    troubles,
    passes: () => passes,
    settled,
    pass: async (ms: number) => {
      now += ms
      for (const timer of [...timers]) {
        if (timer.at > now) continue
        timers.delete(timer)
        timer.act()
      }
      await settled()
    },
    takes: (ms: number) => {
      now += ms
    },
  }
}

describe('reporting', () => {
  test('begins with a pass, and writes what is due', async () => {
    const { written, settled, passes } = aReporting(
      () => ({ a: 'one', b: 'two' }),
      () => 'written',
    )
    await settled()
    expect([passes(), written]).toEqual([1, ['one', 'two']])
  })

  test('looks at what changes together once, and 200 ms later', async () => {
    const { reporting, settled, passes, pass } = aReporting(
      () => ({}),
      () => 'written',
    )
    await settled()
    for (let i = 0; i < 100; i++) reporting.changed()
    await pass(150)
    reporting.changed()
    expect(passes()).toBe(1)
    await pass(50)
    expect(passes()).toBe(2)
    await pass(10_000)
    expect(passes()).toBe(2)
  })

  test('rests nine times as long as a pass took', async () => {
    const slow = aReporting(
      () => {
        slow?.takes(100)
        return {}
      },
      () => 'written',
    )
    await slow.settled()
    slow.reporting.changed()
    await slow.pass(800)
    expect(slow.passes()).toBe(1)
    await slow.pass(100)
    expect(slow.passes()).toBe(2)
  })

  test('looks again at what was changed meanwhile', async () => {
    const answers: ('written' | 'overtaken')[] = ['overtaken', 'written']
    const { settled, pass, passes } = aReporting(
      () => ({ a: 'one' }),
      () => answers.shift() ?? 'written',
    )
    await settled()
    await pass(200)
    expect([passes(), answers]).toEqual([2, []])
    await pass(10_000)
    expect(passes()).toBe(2)
  })

  test('tries again what failed, and the others are written', async () => {
    let fails = true
    const { written, troubles, settled, pass } = aReporting(
      () => ({ a: 'bad', b: 'good' }),
      (one) => (one === 'bad' && fails ? new Trouble('kube_unavailable', 'retry') : 'written'),
    )
    await settled()
    expect([written, troubles]).toEqual([['good'], [['a', 50]]])
    fails = false
    await pass(50)
    expect(written).toEqual(['good', 'bad'])
  })

  test('does not write what is right after all', async () => {
    let due: Record<string, string> = { a: 'wrong' }
    const { reporting, written, settled, pass } = aReporting(
      () => due,
      () => (written.length > 5 ? 'written' : new Trouble('kube_unavailable', 'retry')),
    )
    await settled()
    due = {}
    reporting.changed()
    await pass(200)
    await pass(1000)
    expect(written).toEqual([])
  })
})

describe('following', () => {
  test('says once that trouble is over, when all has been heard of since', () => {
    const said: string[] = []
    let [now, stale] = [1000, 0]
    const following = makeFollowing({
      log: { info: (message: unknown) => void said.push(String(message)) } as never,
      tell: (about) => said.push(about),
      staleMs: () => stale,
      steadyMs: () => now,
    })
    following.look()
    following.onTrouble(new Error('x'))
    now = 3000
    stale = 2500
    following.look()
    expect(said).toEqual(['the API server can not be followed'])
    stale = 100
    following.look()
    following.look()
    expect(said).toEqual(['the API server can not be followed', 'the API server is followed again'])
  })
})
