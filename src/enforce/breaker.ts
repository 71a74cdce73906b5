/** PURE. When to stop asking something that is in trouble, when to try it again, and when to trust it again. */

/** closed: ask; open: do not; half-open: one probe is under way, nobody else asks. */
export type Breaker =
  | { readonly phase: 'closed'; readonly troubles: number; readonly firstMs: number; readonly closedMs: number }
  | { readonly phase: 'open'; readonly pauseMs: number; readonly nextMs: number }
  | { readonly phase: 'half-open'; readonly pauseMs: number }

/** slow: a good answer that took long; failure: a bad one; late: none in time; tick: time has passed. */
export type Seen = 'success' | 'slow' | 'failure' | 'late' | 'tick'

export type Moment = {
  readonly nowMs: number
  /** From 0 (inclusive) to 1: replicas that lost the same thing do not come back to it together. */
  readonly jitter: number
}

/** So many troubles with no good answer between them: fewer may be one lost packet. */
export const TROUBLES = 5
/** Silence is no trouble before it has lasted so long since the first was late: a busy machine is quiet for less. */
export const SILENT_MS = 50
/** Troubles further apart than this have nothing to do with one another. */
const TOGETHER_MS = 10_000
/** The pause before a probe: a short one, and a longer one where trouble came back as soon as it was trusted again. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 1_000
/** Trouble this soon after it was trusted again is the same trouble. */
const SAME_TROUBLE_MS = 5_000

export const CLOSED: Breaker = { phase: 'closed', troubles: 0, firstMs: 0, closedMs: Number.NEGATIVE_INFINITY }

export function next(breaker: Breaker, seen: Seen, moment: Moment): Breaker {
  switch (breaker.phase) {
    case 'closed':
      return whileClosed(breaker, seen, moment)
    case 'open':
      // what was asked before it opened says nothing about now
      return seen === 'tick' && moment.nowMs >= breaker.nextMs
        ? { phase: 'half-open', pauseMs: breaker.pauseMs }
        : breaker
    case 'half-open':
      return whileHalfOpen(breaker, seen, moment)
  }
}

/** Opens at once: a probe has shown what single answers only made likely. */
export const opened = (breaker: Breaker, moment: Moment): Breaker =>
  breaker.phase === 'closed' ? open(moment, pauseAfter(breaker, moment)) : breaker

type Closed = Extract<Breaker, { phase: 'closed' }>
type HalfOpen = Extract<Breaker, { phase: 'half-open' }>

function whileClosed(breaker: Closed, seen: Seen, moment: Moment): Breaker {
  if (seen === 'success') return breaker.troubles === 0 ? breaker : { ...breaker, troubles: 0 }
  if (seen !== 'failure' && seen !== 'late') return breaker
  const isAnother = breaker.troubles > 0 && moment.nowMs - breaker.firstMs <= TOGETHER_MS
  const troubles = isAnother ? breaker.troubles + 1 : 1
  const firstMs = isAnother ? breaker.firstMs : moment.nowMs
  // an error costs a caller no time, and says more than silence does
  const isSure = seen === 'failure' || moment.nowMs - firstMs >= SILENT_MS
  return troubles >= TROUBLES && isSure ? open(moment, pauseAfter(breaker, moment)) : { ...breaker, troubles, firstMs }
}

function whileHalfOpen(breaker: HalfOpen, seen: Seen, moment: Moment): Breaker {
  if (seen === 'success') return { phase: 'closed', troubles: 0, firstMs: 0, closedMs: moment.nowMs }
  return seen === 'tick' ? breaker : open(moment, breaker.pauseMs)
}

const pauseAfter = ({ closedMs }: Closed, { nowMs }: Moment): number =>
  nowMs - closedMs < SAME_TROUBLE_MS ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS

const open = ({ nowMs, jitter }: Moment, pauseMs: number): Extract<Breaker, { phase: 'open' }> => ({
  phase: 'open',
  pauseMs,
  nextMs: nowMs + pauseMs * (0.75 + jitter / 2),
})
