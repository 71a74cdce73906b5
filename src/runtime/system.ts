/** The real clock and the real random bytes, as plain functions: the only place that asks the machine for them. */
import { randomBytes, randomUUID } from 'node:crypto'

export const nowMs = (): number => Date.now()

/** Milliseconds of a clock that never steps back; only differences count. */
export const steadyMs = (): number => performance.now()

/** Microseconds since 1970, as fine as the calendar clock is: a millisecond. */
export const nowUs = (): number => Date.now() * 1000

export const random = (count: number): Uint8Array => randomBytes(count)

export const uuid = (): string => randomUUID()

/** From 0 (inclusive) to 1: spreads what would otherwise happen at once; nothing secret hangs on it. */
export const jitter = (): number => Math.random()
