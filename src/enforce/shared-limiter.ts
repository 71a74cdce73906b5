/** A Limiter by limits that all replicas share, which never makes a caller wait for them: what is in trouble is not asked. */
import type { Limit, LimitFailure, Spent } from '../core/limit.ts'
import { Trouble } from '../core/trouble.ts'
import { type Breaker, CLOSED, next, opened, type Seen, SILENT_MS } from './breaker.ts'
import type { Limiter, Spending } from './check.ts'
import { type DeadlineParts, deadlines } from './deadlines.ts'
import { localShare } from './local-share.ts'

/** Limits kept in one place for all replicas. */
export type SharedLimits = {
  /** One round trip at most. Rejects with a Trouble; may also never settle: whoever calls it sets the bound. */
  readonly spend: (bucket: string, limits: readonly Limit[]) => Spent | Promise<Spent>
  /** Whether a spend would be counted now: a server may be alive and refuse to write. Rejects with a Trouble. */
  readonly ping: () => Promise<void>
  /** Processes that share these limits now, this one included; undefined: not known. */
  readonly replicas: () => number | undefined
  /** Counts what a replica granted alone, or what it knows to have been lost; where this is not there, it is forgotten. */
  readonly remind?: (bucket: string, uncounted: readonly Uncounted[]) => Promise<void>
}

/** So many requests more were spent than the shared limits know of; as many of them as there are left are taken. */
export type Uncounted = { readonly limit: Limit; readonly requests: number }

/** shared: one count for all; fallback: each API's `failureMode.limits`. */
export type LimitsMode = 'shared' | 'fallback'

export type ModeChange = {
  readonly mode: LimitsMode
  /** The code of the trouble that ended the mode before; undefined where it was none. */
  readonly why: string | undefined
  /** How long the mode before lasted; undefined where the limits were never shared yet. */
  readonly lastedMs: number | undefined
}

/** Told, never asked: what is visible from outside. All of it is on the path of a request, so it must be cheap. */
export type LimitsNotes = {
  readonly onMode: (change: ModeChange) => void
  /** An answer of the shared limits that took a round trip. */
  readonly onRoundTrip: (ms: number) => void
  /** A request that was answered without the shared limits. */
  readonly onFallback: (failure: LimitFailure) => void
  /** @param code of the Trouble; `late` where there was no answer in time */
  readonly onTrouble: (code: string) => void
}

export type SharedLimiterParts = DeadlineParts &
  LimitsNotes & {
    readonly shared: SharedLimits
    /** Microseconds since 1970. */
    readonly nowUs: () => number
    /** From 0 (inclusive) to 1. */
    readonly jitter: () => number
    /** How many replicas there are, where the shared limits never said. */
    readonly replicas: number
    /** Which of them this one is, from 0; undefined: not known. */
    readonly rank?: () => number | undefined
  }

export type SharedLimiter = Limiter & {
  readonly mode: () => LimitsMode
  /** Asks the shared limits where nobody did since the last look: to be called every second or so, so that what is seen is true. */
  readonly look: () => void
  /** Nothing is probed any more. */
  readonly stop: () => void
}

/** How long a caller waits for the shared limits. Redis in the same zone answers in less than one. */
const WAIT_MS = 25
/** A good answer that took so long does not make up for one that did not come. */
const SLOW_MS = 12

export function sharedLimiter(parts: SharedLimiterParts): SharedLimiter {
  const { shared, nowMs, onMode, onRoundTrip, onFallback, onTrouble } = parts
  const place = () => ({ replicas: Math.max(1, shared.replicas() ?? parts.replicas), rank: parts.rank?.() })
  const share = localShare({ nowUs: parts.nowUs, place })
  const waits = deadlines(WAIT_MS, parts)
  const probes = deadlines(SILENT_MS, parts)
  let breaker: Breaker = CLOSED
  let changedMs = nowMs()
  let mode: LimitsMode = 'shared'
  let why: string | undefined
  /** The probe that is under way: the only one whose end counts. */
  let probing: object | undefined
  let stopped = false
  /** Since the last look, and ever. */
  let [answered, everShared] = [false, false]
  let takeBack = (): void => undefined

  const moment = () => ({ nowMs: nowMs(), jitter: parts.jitter() })

  const turn = (to: Breaker): void => {
    const before = breaker
    breaker = to
    if (to.phase === 'open' && before.phase !== 'open') {
      // what was asked before says nothing about later: while open there is the timer alone, and then the probe that it begins
      probing = undefined
      rest(to.nextMs - nowMs())
    }
    const now: LimitsMode = to.phase === 'closed' ? 'shared' : 'fallback'
    if (now === mode) return
    mode = now
    const at = nowMs()
    const lastedMs = mode === 'fallback' && !everShared ? undefined : at - changedMs
    onMode({ mode, why: mode === 'fallback' ? why : undefined, lastedMs })
    changedMs = at
    // whoever waits now would wait in vain
    if (mode === 'fallback') waits.giveUp()
  }

  const rest = (delayMs: number): void => {
    takeBack()
    takeBack = parts.after(Math.max(1, delayMs), () => {
      if (stopped) return
      turn(next(breaker, 'tick', moment()))
      if (breaker.phase === 'half-open') probe((seen) => turn(next(breaker, seen, moment())))
      else if (breaker.phase === 'open') rest(breaker.nextMs - nowMs())
    })
  }

  const saw = (seen: Seen): void => {
    if (breaker.phase === 'closed') turn(next(breaker, seen, moment()))
  }

  const troubled = (seen: 'failure' | 'late', code: string): void => {
    onTrouble(code)
    why = code
    saw(seen)
    if (breaker.phase !== 'closed' || probing !== undefined) return
    // one answer that did not come says little; where there are few requests, the next would come after seconds
    confirm()
  }

  const confirm = (): void =>
    probe((seen) => {
      if (seen === 'failure' || seen === 'late') turn(opened(breaker, moment()))
    })

  const probe = (then: (seen: Seen) => void): void => {
    const own = {}
    probing = own
    const startMs = nowMs()
    const ends = (seen: Seen, code?: string): void => {
      if (stopped || probing !== own) return
      probing = undefined
      if (code !== undefined) {
        onTrouble(code)
        why = code
      }
      then(seen)
    }
    probes.wait(shared.ping(), {
      done: () => {
        everShared = true
        ends(nowMs() - startMs > WAIT_MS ? 'slow' : 'success')
      },
      failed: (error) => ends('failure', codeOf(error)),
      late: () => ends('late', LATE),
    })
  }

  const heard = (bucket: string, spent: Spent): Spent => {
    everShared = true
    const uncounted = share.told(bucket, spent)
    if (uncounted.length > 0) shared.remind?.(bucket, uncounted).catch((error) => onTrouble(codeOf(error)))
    return spent
  }

  const alone = (bucket: string, limits: readonly Limit[], failure: LimitFailure): Spending => {
    onFallback(failure)
    switch (failure) {
      case 'local':
        return share.spend(bucket, limits)
      case 'open':
        return { ok: true, left: [] }
      case 'closed':
        return undefined
    }
  }

  return {
    mode: () => mode,
    look: () => {
      const idle = !answered
      answered = false
      if (idle && !stopped && breaker.phase === 'closed' && probing === undefined) confirm()
    },
    stop: () => {
      stopped = true
      takeBack()
    },
    spend: (bucket, limits, failure) => {
      if (breaker.phase !== 'closed') return alone(bucket, limits, failure)
      const startMs = nowMs()
      const answer = attempt(() => shared.spend(bucket, limits))
      if (answer instanceof Trouble) {
        troubled('failure', answer.code)
        return alone(bucket, limits, failure)
      }
      if (!(answer instanceof Promise)) return heard(bucket, answer)
      return new Promise((resolve) => {
        waits.wait(answer, {
          done: (spent) => {
            const tookMs = nowMs() - startMs
            onRoundTrip(tookMs)
            answered = true
            saw(tookMs > SLOW_MS ? 'slow' : 'success')
            resolve(heard(bucket, spent))
          },
          failed: (error) => {
            troubled('failure', codeOf(error))
            resolve(alone(bucket, limits, failure))
          },
          late: () => {
            troubled('late', LATE)
            resolve(alone(bucket, limits, failure))
          },
        })
      })
    },
  }
}

const LATE = 'late'

function attempt(ask: () => Spent | Promise<Spent>): Spent | Promise<Spent> | Trouble {
  try {
    return ask()
  } catch (error) {
    return error instanceof Trouble ? error : new Trouble(codeOf(error), 'retry', error)
  }
}

/** Codes only: the text of an error may hold anything. */
const codeOf = (error: unknown): string => (error instanceof Trouble ? error.code : 'failed')
