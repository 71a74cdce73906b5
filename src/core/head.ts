/** What a decision needs of a request's headers, read in one pass, or why two servers could read them differently. */
import { UPSTREAM_HEADERS } from './headers.ts'
import { ambiguousName, isReserved, OVERRIDES } from './reserved.ts'

export type Head = {
  readonly authorization: readonly string[]
  readonly apiKey: readonly string[]
  /** A CORS preflight names the method that will follow (Fetch, CORS protocol). */
  readonly requestedMethod: boolean
  /** The caller sends an `x-keyward-*` name that Keyward does not set, so nobody overwrites it. */
  readonly unknownReserved: boolean
}

export type AmbiguousHead = { readonly ambiguous: string }

const EMPTY: readonly string[] = []
const SET_BY_US: ReadonlySet<string> = new Set(UPSTREAM_HEADERS)

/** Headers as name, value, name, value … */
export function readHead(headers: readonly string[]): Head | AmbiguousHead {
  const head: Growing = { authorization: EMPTY, apiKey: EMPTY, requestedMethod: false, unknownReserved: false }
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (isIdle(name)) continue
    const ambiguous = take(head, name.toLowerCase(), headers[i + 1] ?? '')
    if (ambiguous !== undefined) return { ambiguous }
  }
  return head
}

type Growing = { -readonly [Name in keyof Head]: Head[Name] }

/** Adds what a header says to the head; why the request is ambiguous, where it is. */
function take(head: Growing, name: string, value: string): string | undefined {
  switch (name) {
    case 'authorization':
      head.authorization = [...head.authorization, value]
      return undefined
    case 'x-api-key':
      head.apiKey = [...head.apiKey, value]
      return undefined
    case 'access-control-request-method':
      head.requestedMethod = true
      return undefined
    default:
      if (isReserved(name) && !SET_BY_US.has(name)) head.unknownReserved = true
      return ambiguousName(name)
  }
}

const HYPHEN = 0x2d
const LOWER = 0x20
const K = 0x6b

const LOOKED_AT = ['authorization', 'x-api-key', 'access-control-request-method', ...OVERRIDES]
const LENGTHS: ReadonlySet<number> = new Set(LOOKED_AT.map((name) => name.length))

/**
 * Whether a name can be passed over without being written in lower case: only letters, digits and hyphens, as long as none
 * of the names that a decision looks at, and no `x-k…`, with which the reserved ones begin. This is most headers of most
 * requests.
 */
function isIdle(name: string): boolean {
  if (LENGTHS.has(name.length) || (name.charCodeAt(1) === HYPHEN && (name.charCodeAt(2) | LOWER) === K)) return false
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    const letter = code | LOWER
    const plain = (letter >= 0x61 && letter <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === HYPHEN
    if (!plain) return false
  }
  return true
}
