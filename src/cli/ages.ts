/** PURE: moments as people read them: how long ago, or how soon. */

export type Clock = {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** Milliseconds of a clock that never steps back. */
  readonly steadyMs: () => number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `42s`, `5m`, `7h`, `3d`, `2y`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 2 * MINUTE) return `${seconds}s`
  if (seconds < 2 * HOUR) return `${Math.floor(seconds / MINUTE)}m`
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)}h`
  if (seconds < 2 * 365 * DAY) return `${Math.floor(seconds / DAY)}d`
  return `${Math.floor(seconds / (365 * DAY))}y`
}

/** Milliseconds since 1970; undefined: no moment. */
export function momentOf(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isFinite(at) ? at : undefined
}

/** Empty where nothing is known. */
export function ago(text: string | undefined, nowMs: number): string {
  const at = momentOf(text)
  return at === undefined ? '' : span(nowMs - at)
}

/** `in 98d`, or `5d ago`. */
export const until = (at: number, nowMs: number): string =>
  at > nowMs ? `in ${span(at - nowMs)}` : `${span(nowMs - at)} ago`
