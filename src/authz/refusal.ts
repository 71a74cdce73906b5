/** What every wire of the check refuses alike, and how each says so in headers. */
import type { Refusal } from '../core/decide.ts'
import { type Code, challengeOf, deny } from '../core/denial.ts'
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
