/** The work queue: one run per key, many asks one run, delays and back-off, an orderly end. */
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { type After, backOffMs, makeQueue, type QueueParts } from '../../src/runtime/queue.ts'

/** Timers that fire when a test says so. */
function timers() {
  let set: { readonly delayMs: number; readonly act: () => void }[] = []
  const after: After = (delayMs, act) => {
    const timer = { delayMs, act }
    set.push(timer)
    return () => {
      set = set.filter((one) => one !== timer)
    }
  }
  return {
    after,
    delays: () => set.map(({ delayMs }) => delayMs),
    fire: () => {
      for (const { act } of set.splice(0)) act()
    },
  }
}

/** Runs that end when a test says so. */
function held() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const run = (key: string) =>
    new Promise<undefined>((resolve) => {
      begun.push(key)
      ends.push(() => resolve(undefined))
    })
  return { begun, run, end: () => ends.shift()?.() }
}

const tick = () => new Promise((resolve) => setImmediate(resolve))

const queueOf = (parts: Partial<QueueParts>) =>
  makeQueue({
    run: async () => undefined,
    concurrency: 10,
    onTrouble: () => {},
    jitter: () => 0,
    after: timers().after,
    ...parts,
  })

describe('runs', () => {
  test('what is asked for many times in one go is run once', async () => {
    const runs: string[] = []
    const queue = queueOf({ run: async (key) => void runs.push(key) })
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key)
    await queue.idle()
    expect(runs).toEqual(['a', 'b'])
  })

  test('a key that runs is run once more, however often it is asked for meanwhile', async () => {
    const { begun, run, end } = held()
    const queue = queueOf({ run })
    queue.add('a')
    await tick()
    queue.add('a')
    queue.add('a')
    await tick()
    expect(begun).toEqual(['a'])
    end()
    await tick()
    end()
    await queue.idle()
    expect(begun).toEqual(['a', 'a'])
  })

  test('no more keys run at once than are allowed, and each gets its turn in order', async () => {
    const { begun, run, end } = held()
    const queue = queueOf({ run, concurrency: 2 })
    for (const key of ['a', 'b', 'c']) queue.add(key)
    await tick()
    expect(begun).toEqual(['a', 'b'])
    end()
    await tick()
    expect(begun).toEqual(['a', 'b', 'c'])
  })

  test('a thousand runs that wait for nothing let others have their turn', async () => {
    let turns = 0
    let runs = 0
    const queue = queueOf({ run: async () => void runs++, concurrency: 1000 })
    for (let i = 0; i < 1000; i++) queue.add(`${i}`)
    while (runs < 1000) {
      await tick()
      turns += 1
    }
    expect(turns).toBeGreaterThanOrEqual(3)
  })
})

describe('a server that is busy', () => {
  test('is left alone for as long as it asks for, or for longer', async () => {
    const { after, delays } = timers()
    const askedToWaitMs = (error: unknown) => (error === 'busy' ? 2000 : undefined)
    const queue = queueOf({ after, askedToWaitMs, jitter: () => 1, run: (key) => Promise.reject(key) })
    queue.add('busy')
    queue.add('broken')
    await queue.idle()
    expect(delays()).toEqual([2500, 50])
  })
})

describe('delays', () => {
  test('a run says when it is to be run again', async () => {
    const { after, delays, fire } = timers()
    const runs: string[] = []
    const queue = queueOf({ after, run: async (key) => (runs.push(key) === 1 ? 5000 : undefined) })
    queue.add('a')
    await queue.idle()
    expect(delays()).toEqual([5000])
    fire()
    await queue.idle()
    expect([runs, delays()]).toEqual([['a', 'a'], []])
  })

  test.each([
    [30 * 86_400_000, 2_147_483_647],
    [-5, 0],
  ])('a delay of %i ms becomes one that a timer can hold', async (delay, set) => {
    const { after, delays } = timers()
    queueOf({ after }).addAfter('a', delay)
    expect(delays()).toEqual([set])
  })

  test('a key has one delay: the last that was said', () => {
    const { after, delays } = timers()
    const queue = queueOf({ after })
    queue.addAfter('a', 1000)
    queue.addAfter('a', 9000)
    expect(delays()).toEqual([9000])
  })

  test('a key that is asked for does not wait for its delay', async () => {
    const { after, delays } = timers()
    const queue = queueOf({ after })
    queue.addAfter('a', 9000)
    queue.add('a')
    await queue.idle()
    expect(delays()).toEqual([])
  })
})

describe('trouble', () => {
  test('a run that fails is tried again, later each time, and told of', async () => {
    const { after, delays, fire } = timers()
    const told: unknown[] = []
    let failures = 0
    const queue = queueOf({
      after,
      run: async () => {
        if (failures++ < 3) throw new Trouble('store_unavailable', 'retry')
        return undefined
      },
      onTrouble: (key, error, retryMs) => told.push([key, error instanceof Trouble && error.code, retryMs]),
    })
    queue.add('a')
    const seen: number[][] = []
    for (let i = 0; i < 4; i++) {
      await queue.idle()
      seen.push(delays())
      fire()
    }
    expect(seen).toEqual([[25], [50], [100], []])
    expect(told).toEqual([
      ['a', 'store_unavailable', 25],
      ['a', 'store_unavailable', 50],
      ['a', 'store_unavailable', 100],
    ])
  })

  test('one key that fails keeps no other from its run', async () => {
    const runs: string[] = []
    const queue = queueOf({
      run: async (key) => {
        if (key === 'bad') throw new TypeError('a defect')
        runs.push(key)
        return undefined
      },
    })
    for (const key of ['bad', 'good']) queue.add(key)
    await queue.idle()
    expect(runs).toEqual(['good'])
  })

  test('what is to stop is not tried again by itself; what is to wait, after the longest time', async () => {
    const { after, delays } = timers()
    const told: unknown[] = []
    const queue = queueOf({
      after,
      run: async (key) => {
        throw new Trouble(key, key === 'stop' ? 'stop' : 'wait')
      },
      onTrouble: (key, _error, retryMs) => told.push([key, retryMs]),
    })
    for (const key of ['stop', 'wait']) queue.add(key)
    await queue.idle()
    expect([told, delays()]).toEqual([
      [
        ['stop', undefined],
        ['wait', 60_000],
      ],
      [60_000],
    ])
  })

  test.each([
    [1, 0, 25],
    [1, 1, 50],
    [2, 0.5, 75],
    [11, 1, 51_200],
    [12, 1, 60_000],
    [5000, 0, 30_000],
  ])('after %i failures, with jitter %d, the wait is %i ms', (failures, jitter, wait) => {
    expect(backOffMs(failures, jitter)).toBe(wait)
  })
})

describe('stop', () => {
  test('what has begun is waited for; nothing else begins', async () => {
    const { begun, run, end } = held()
    const { after, delays } = timers()
    const queue = queueOf({ run, after, concurrency: 1 })
    queue.addAfter('later', 5000)
    for (const key of ['a', 'b']) queue.add(key)
    await tick()
    let stopped = false
    const stop = queue.stop().then(() => {
      stopped = true
    })
    queue.add('c')
    await tick()
    expect([begun, stopped, delays()]).toEqual([['a'], false, []])
    end()
    await stop
    await tick()
    expect(begun).toEqual(['a'])
  })
})
