/** What every wire of the check refuses alike, and how each says so in headers. */
import type { Refusal } from '../core/decide.ts'
import { type Code, challengeOf, deny, problemOf, statusOf } from '../core/denial.ts'
import type { Fields } from '../core/headers.ts'
import type { Untold } from './forward-auth.ts'

/** A defect of ours: it must not become a yes, nor take the process down with every other caller. */
export const FAILED: Refusal = { ...deny('unavailable', 'the check failed'), caller: [] }

export const TOO_MANY: Untold = { untold: 'more header lines than servers commonly take', upTo: 'caller' }

/** What goes with a problem as its body (RFC 9457), and the challenge where one belongs to it (RFC 9110 §11.6.1). */
export function problemFields(code: Code): Fields {
  const challenge = challengeOf(code)
  const type = ['content-type', 'application/problem+json']
  return challenge === undefined ? type : [...type, 'www-authenticate', challenge]
}

export type HttpRefusal = { readonly status: number; readonly fields: Fields; readonly body: string }

/** @param onlyKnows401And403 as the proxy's family does */
export function httpRefusal(refusal: Refusal, requestId: string, onlyKnows401And403: boolean): HttpRefusal {
  const truth = statusOf(refusal.code)
  const body = problemOf(refusal, requestId)
  const fields = [
    ...problemFields(refusal.code),
    // what nginx's auth_request drops, in headers, which it can keep: nobody has to ask a second time for the true answer
    ...(onlyKnows401And403 ? ['x-keyward-status', String(truth), 'x-keyward-problem', body] : []),
    ...refusal.caller,
    'x-request-id',
    requestId,
  ]
  return { status: onlyKnows401And403 && truth !== 401 ? 403 : truth, fields, body }
}
