/** Names that Keyward speaks for: no caller may send them, in no spelling that some server folds to one. */
import { unescaped } from './path.ts'

export const RESERVED_PREFIX = 'x-keyward-'

// What servers that read `_`, `.` and the like as `-` would take for one of these (CGI, WSGI, Rack, PHP).
const GUARDED = new Set(['authorization', 'x-api-key', 'host', 'content-length', 'transfer-encoding', 'x-request-id'])

/** Headers by which a caller asks some servers to take another method than the one it sends. */
export const OVERRIDES: ReadonlySet<string> = new Set(['x-http-method-override', 'x-http-method', 'x-method-override'])

// The same in the query string: Rails, Laravel and Symfony; Google's APIs. As PHP reads names, which folds most.
const QUERY_OVERRIDES = new Set([...[...OVERRIDES].map((name) => name.replaceAll('-', '_')), '_method', '$httpmethod'])

const EXACT_NAME = /^[a-z0-9-]+$/
// most queries neither name a method nor could hide one
const MAY_OVERRIDE = /method|%/i

/** Why a lower-case header name makes a request ambiguous, or undefined where it does not. */
export function ambiguousName(lowerCase: string): string | undefined {
  if (EXACT_NAME.test(lowerCase)) {
    return OVERRIDES.has(lowerCase) ? 'a header that overrides the method' : undefined
  }
  const folded = lowerCase.replace(/[^a-z0-9]/g, '-')
  if (folded.startsWith(RESERVED_PREFIX)) return 'another spelling of a header that Keyward sets'
  if (GUARDED.has(folded)) return 'another spelling of a header that decides'
  return OVERRIDES.has(folded) ? 'a header that overrides the method' : undefined
}

/** Whether a query string holds a parameter that some server takes for the method. */
export function overridesMethod(query: string): boolean {
  if (!MAY_OVERRIDE.test(query)) return false
  for (let start = 0, at = 0; at <= query.length; at++) {
    if (at < query.length && !isSeparator(query.charCodeAt(at))) continue
    // most are too short; a head may hold thousands of them
    if (at - start >= SHORTEST && isOverride(query.slice(start, at))) return true
    start = at + 1
  }
  return false
}

const SHORTEST = '_method'.length

/** `&`, `;`, `?` */
const isSeparator = (code: number): boolean => code === 0x26 || code === 0x3b || code === 0x3f

function isOverride(pair: string): boolean {
  const end = pair.indexOf('=')
  const name = end === -1 ? pair : pair.slice(0, end)
  return MAY_OVERRIDE.test(name) && QUERY_OVERRIDES.has(parameterName(name))
}

/** PHP ends a name at NUL, drops spaces in front of it, and makes `_` of spaces, dots and an open bracket. */
function parameterName(written: string): string {
  const name = unescaped(written.replaceAll('+', ' ')).toLowerCase()
  const end = name.indexOf('\0')
  return (end === -1 ? name : name.slice(0, end)).replace(/^ +/, '').replace(/[ .[-]/g, '_')
}

export const isReserved = (lowerCase: string): boolean => lowerCase.startsWith(RESERVED_PREFIX)
