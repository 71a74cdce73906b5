/** The one question behind every listener: a request in, a verdict out. Declares what it needs from outside. */
import { decide, type Index, settle, type Verdict } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import type { Limit, Spent } from '../core/limit.ts'
import type { CheckRequest } from '../core/request.ts'

/** Spends one request of a key's limits, or of none of them. */
export type Limiter = {
  readonly spend: (bucket: string, limits: readonly Limit[]) => Spent | Promise<Spent>
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
    const spent = limiter.spend(ruling.record.keyId, ruling.limits)
    if (!(spent instanceof Promise)) return settle(ruling, spent, nowUs())
    return spent.then(
      (done) => settle(ruling, done, nowUs()),
      () => unavailable('the limiter failed'),
    )
  } catch (cause) {
    // a defect of ours must not become a yes, nor take the process down with every other caller
    return unavailable(`the decision failed: ${cause instanceof Error ? cause.name : 'unknown'}`)
  }
}

const unavailable = (why: string): Verdict => ({ ...deny('unavailable', why), caller: [] })
