/** A clock that stands until it is told to go on, with the timers that hang on it. Begins at noon of a UTC day. */

export type FakeTime = {
  readonly nowMs: () => number
  /** Microseconds since 1970. */
  readonly nowUs: () => number
  readonly after: (delayMs: number, act: () => void) => () => void
  readonly onceRead: (act: () => void) => void
  /** Every timer that is due fires at its moment; what waits for promises has its turn between them. */
  readonly pass: (ms: number) => Promise<void>
  readonly timers: () => number
  readonly timersSet: () => number
}

const NOON_MS = Date.UTC(2026, 10, 22, 12)

export function fakeTime(): FakeTime {
  const timers = new Set<{ readonly dueMs: number; readonly act: () => void }>()
  let now = 0
  let set = 0
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    nowMs: () => now,
    nowUs: () => Math.round((NOON_MS + now) * 1000),
    after: (delayMs, act) => {
      const timer = { dueMs: now + delayMs, act }
      set++
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    onceRead: (act) => act(),
    timers: () => timers.size,
    timersSet: () => set,
    pass: async (ms) => {
      const end = now + ms
      await settle()
      for (;;) {
        const [next] = [...timers].filter(({ dueMs }) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.dueMs)
        next.act()
        await settle()
      }
      now = end
    },
  }
}
