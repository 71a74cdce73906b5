/** The one question behind every listener: a request in, a verdict out. Declares what it needs from outside. */
import { decide, type Index, type Metered, settle, type Verdict } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import type { Limit, LimitFailure, Spent } from '../core/limit.ts'
import type { CheckRequest } from '../core/request.ts'

/** What became of one request's limits; undefined: they can't be asked, and nobody passes without them. */
export type Spending = Spent | undefined

/** Spends one request of a key's limits, or of none of them. A promise settles within a tenth of a second, whatever happens. */
export type Limiter = {
  /** @param failure what counts where the limits can't be asked */
  readonly spend: (bucket: string, limits: readonly Limit[], failure: LimitFailure) => Spending | Promise<Spending>
}

/** All that a check needs from outside. */
export type CheckParts = {
  /** undefined: nothing is in force yet, and nothing can be answered. */
  readonly index: () => Index | undefined
  readonly limiter: Limiter
  /** Microseconds since 1970. */
  readonly nowUs: () => number
  readonly note: (request: CheckRequest, verdict: Verdict) => void
}

export type Check = (request: CheckRequest) => Verdict | Promise<Verdict>

/** The check of a set of parts; it answers at once unless the limiter needs time, and never throws. */
export const makeCheck = (parts: CheckParts): Check => {
  const noted = (request: CheckRequest, verdict: Verdict): Verdict => {
    parts.note(request, verdict)
    return verdict
  }
  return (request) => {
    const verdict = answer(parts, request)
    return verdict instanceof Promise ? verdict.then((late) => noted(request, late)) : noted(request, verdict)
  }
}

function answer({ index, limiter, nowUs }: CheckParts, request: CheckRequest): Verdict | Promise<Verdict> {
  try {
    const inForce = index()
    if (inForce === undefined) return unavailable('nothing is in force yet')
    const ruling = decide(request, inForce, Math.floor(nowUs() / 1000))
    if (ruling.kind !== 'metered') return ruling
    const spending = limiter.spend(ruling.record.keyId, ruling.limits, ruling.failure)
    if (!(spending instanceof Promise)) return settled(ruling, spending, nowUs())
    return spending.then(
      (late) => settled(ruling, late, nowUs()),
      () => unavailable('the limiter failed'),
    )
  } catch (cause) {
    // a defect of ours must not become a yes, nor take the process down with every other caller
    return unavailable(`the decision failed: ${cause instanceof Error ? cause.name : 'unknown'}`)
  }
}

const settled = (metered: Metered, spending: Spending, nowUs: number): Verdict =>
  spending === undefined ? unavailable('the limits are out of reach') : settle(metered, spending, nowUs)

const unavailable = (why: string): Verdict => ({ ...deny('unavailable', why), caller: [] })
