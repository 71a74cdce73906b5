/** PURE: what a reflector does next after what it met: watch on, look whether the server went back, or list anew. */
import { Trouble } from '../core/trouble.ts'
import { ApiError, askedToWaitMs } from './api-error.ts'

export type Next = 'watch' | 'probe' | 'list'

export type Met = {
  readonly error: unknown
  /** Whether the watch had begun. */
  readonly opened: boolean
  /** How often in a row, this one included. */
  readonly failures: number
}

/** As often as that, a watch that fails is no longer taken to be the same as before. */
const MOST_FAILURES = 3

/**
 * A server that was away may come back with a restored backup. Its numbers can have passed ours again by then, so that only
 * a list tells; a watch from the number that we know would miss in silence what changed below it.
 */
export function nextAfter({ error, opened, failures }: Met): Next {
  if (!(error instanceof Trouble)) return 'list'
  if (error.code === 'kube_throttled') return 'watch'
  if (ANOTHER_PAST.has(error.code) || (error instanceof ApiError && opened) || failures >= MOST_FAILURES) return 'list'
  if (opened) return 'probe'
  return AWAY.has(error.code) ? 'list' : 'watch'
}

const ANOTHER_PAST = new Set(['kube_gone', 'kube_went_back'])
const AWAY = new Set(['kube_unreachable', 'kube_unavailable', 'kube_timeout'])

const FIRST_MS = 50
const LONGEST_MS = 5000

/** From 50 ms to 5 s, doubled each time; at least half of it whatever the jitter. */
export const watchAgainMs = (failures: number, jitter: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + jitter / 2)

/** A server that asks for more than this is asked sooner: nobody else looks whether it has recovered. */
const LONGEST_ASKED_MS = 60_000

export type Again = {
  readonly error: unknown
  /** How often in a row, this one included. */
  readonly failures: number
  readonly jitter: number
}

/** Never sooner than the server asked for, and not all at the same moment. */
export const againMs = ({ error, failures, jitter }: Again): number =>
  Math.max(Math.min(askedToWaitMs(error) ?? 0, LONGEST_ASKED_MS) * (1 + jitter / 4), watchAgainMs(failures, jitter))
