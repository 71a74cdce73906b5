/** Keyed work queue: one run per key at a time, many asks become one run, delays, back-off, an orderly end. */
import { Trouble } from '../core/trouble.ts'

export type QueueParts = {
  /** Resolves to the milliseconds after which the key is to be run again; undefined: not by itself. */
  readonly run: (key: string) => Promise<number | undefined>
  /** How many keys are run at once. */
  readonly concurrency: number
  /** Told of every run that failed, and when it is tried again; undefined: not by itself. */
  readonly onTrouble: (key: string, error: unknown, retryMs: number | undefined) => void
  /** From 0 (inclusive) to 1: spreads what failed together. */
  readonly jitter: () => number
  /** How long whoever failed was asked to wait before it comes again; undefined: nobody asked. */
  readonly askedToWaitMs?: (error: unknown) => number | undefined
  readonly after?: After
}

/** Calls back once after a time, unless it is taken back. */
export type After = (delayMs: number, act: () => void) => () => void

export type Queue = {
  /** Runs the key soon; once more if it is running now. */
  readonly add: (key: string) => void
  /** Runs the key after a time, instead of the time that it was to be run at before. */
  readonly addAfter: (key: string, delayMs: number) => void
  /** How many keys run or wait for their turn; delays are not counted. */
  readonly depth: () => number
  /** Resolves when nothing runs or waits for its turn; delays are not waited for. */
  readonly idle: () => Promise<void>
  /** No run begins any more; resolves when those that have begun are over. */
  readonly stop: () => Promise<void>
}

/** A timer can't be set further ahead; it fires early then, which does no harm to work that looks before it acts. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

const STARTS_AT_ONCE = 256
const FIRST_BACK_OFF_MS = 50
const LONGEST_BACK_OFF_MS = 60_000

/** Doubles from 50 ms to a minute; at least half of it is kept whatever the jitter. */
export function backOffMs(failures: number, jitter: number): number {
  const full = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(failures - 1, 20))
  return Math.round(full * (0.5 + jitter / 2))
}

const byTimer: After = (delayMs, act) => {
  const timer = setTimeout(act, delayMs)
  return () => clearTimeout(timer)
}

export function makeQueue(parts: QueueParts): Queue {
  const { run, concurrency, onTrouble, jitter, askedToWaitMs = () => undefined, after = byTimer } = parts
  // a Set keeps the order in which keys came, and each only once
  const waiting = new Set<string>()
  const running = new Set<string>()
  const delayed = new Map<string, () => void>()
  const failures = new Map<string, number>()
  let idlers: (() => void)[] = []
  let stopped = false
  let starting = false
  let pausing = false
  let started = 0

  const undelay = (key: string): void => {
    delayed.get(key)?.()
    delayed.delete(key)
  }

  const add = (key: string): void => {
    if (stopped) return
    undelay(key)
    waiting.add(key)
    startSoon()
  }

  const addAfter = (key: string, delayMs: number): void => {
    if (stopped) return
    undelay(key)
    const wait = Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS)
    delayed.set(
      key,
      after(wait, () => add(key)),
    )
  }

  // not at once: what is asked for in one go becomes one run
  const startSoon = (): void => {
    if (starting) return
    starting = true
    queueMicrotask(() => {
      starting = false
      start()
    })
  }

  const start = (): void => {
    for (const key of waiting) {
      if (running.size >= concurrency || pausing) return
      if (running.has(key)) continue
      waiting.delete(key)
      running.add(key)
      void work(key)
      pauseNowAndThen()
    }
  }

  // runs that need not wait for anything would otherwise keep everything else from its turn
  const pauseNowAndThen = (): void => {
    started += 1
    if (started % STARTS_AT_ONCE !== 0) return
    pausing = true
    setImmediate(() => {
      pausing = false
      start()
    })
  }

  const work = async (key: string): Promise<void> => {
    try {
      const again = await run(key)
      failures.delete(key)
      if (again !== undefined && !waiting.has(key)) addAfter(key, again)
    } catch (error) {
      failed(key, error)
    }
    running.delete(key)
    start()
    settle()
  }

  const failed = (key: string, error: unknown): void => {
    if (error instanceof Trouble && error.fate === 'stop') {
      failures.delete(key)
      onTrouble(key, error, undefined)
      return
    }
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    const own = error instanceof Trouble && error.fate === 'wait' ? LONGEST_BACK_OFF_MS : backOffMs(count, jitter())
    // not all of them at the same moment then
    const retryMs = Math.max(own, Math.round((askedToWaitMs(error) ?? 0) * (1 + jitter() / 4)))
    if (!waiting.has(key)) addAfter(key, retryMs)
    onTrouble(key, error, stopped ? undefined : retryMs)
  }

  const settle = (): void => {
    if (running.size > 0 || waiting.size > 0) return
    for (const idler of idlers) idler()
    idlers = []
  }

  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      idlers.push(resolve)
      settle()
    })

  const stop = (): Promise<void> => {
    stopped = true
    waiting.clear()
    for (const key of [...delayed.keys()]) undelay(key)
    failures.clear()
    return idle()
  }

  const depth = () => waiting.size + running.size

  return { add, addAfter, depth, idle, stop }
}
