/** Which credential a request presents: none, one, or more than one. */
import { type Credential, parseCredential, parseKeyId } from './credential.ts'
import { unescaped } from './path.ts'

export type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'ambiguous'; readonly why: string }
  | { readonly kind: 'malformed'; readonly why: string }
  /** A Bearer that is not in the form of a key: an access token, where tokens are accepted. */
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'key'; readonly credential: Credential }

export type Sources = {
  readonly authorization: readonly string[]
  readonly apiKey: readonly string[]
  readonly query: string | undefined
}

const NONE: Presented = { kind: 'none' }
const MALFORMED: Presented = { kind: 'malformed', why: 'not in the form of a key, or its checksum is wrong' }

/** Proxies join repeated headers with a comma, which no credential holds. */
const JOINED: Presented = { kind: 'ambiguous', why: 'a header carries more than one credential' }

const TWO: Presented = { kind: 'ambiguous', why: 'more than one header carries a credential' }

// A whole key at a place that is none for it: no source of ours, but a second credential where there is another.
const WHOLE_KEY = /kw_(?:prod|stag|dev)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/

export function presented({ authorization, apiKey, query }: Sources): Presented {
  if (authorization.length > 1 || apiKey.length > 1) return TWO
  const [value] = authorization
  const first = value === undefined ? NONE : fromAuthorization(value)
  const [key] = apiKey
  if (key === undefined && first === NONE) return NONE
  // another scheme counts as no credential, unless it carries a whole key
  if (key !== undefined && (first !== NONE || (value !== undefined && WHOLE_KEY.test(value)))) return TWO
  if (query !== undefined && WHOLE_KEY.test(unescaped(query))) {
    return { kind: 'ambiguous', why: 'a header and the query string carry a credential' }
  }
  return key === undefined ? first : fromApiKey(key)
}

const fromApiKey = (key: string): Presented => (key.includes(',') ? JOINED : fromKey(key))

function fromKey(text: string): Presented {
  const parsed = parseCredential(text)
  return parsed.ok ? { kind: 'key', credential: parsed.value } : MALFORMED
}

/** RFC 9110 §11.4: a scheme in any case, one space, and the rest. */
function fromAuthorization(value: string): Presented {
  const space = value.indexOf(' ')
  const scheme = space === -1 ? value : value.slice(0, space)
  const rest = space === -1 ? '' : value.slice(space + 1)
  if (scheme === 'Bearer' || scheme.toLowerCase() === 'bearer') {
    if (rest.includes(',')) return JOINED
    const isKey = rest.startsWith('kw_') || rest === '' || rest.startsWith(' ')
    return isKey ? fromKey(rest) : { kind: 'token', text: rest }
  }
  if (scheme.toLowerCase() === 'basic') return fromBasic(rest)
  return value.includes(',') && holdsTwo(value) ? JOINED : NONE
}

/** RFC 9110 §11.2: an auth-param, as far as it can be told from the token68 of another credential. */
const PARAMETER = /^[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*[^= \t]/

/** Parameters of one credential stand between commas too; what is none of them is another credential. */
function holdsTwo(value: string): boolean {
  const parts = outsideQuotes(value)
  return parts === undefined || parts.slice(1).some((part) => !PARAMETER.test(part))
}

/**
 * What stands between the commas that are in no quoted-string; undefined: one does not end. By hand, since an expression
 * begins anew at every quote.
 */
function outsideQuotes(value: string): readonly string[] | undefined {
  const parts: string[] = []
  let [start, quoted] = [0, false]
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code === QUOTE) quoted = !quoted
    else if (quoted && code === BACKSLASH) at++
    else if (!quoted && code === COMMA) {
      parts.push(value.slice(start, at))
      start = at + 1
    }
  }
  return quoted ? undefined : [...parts, value.slice(start)]
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

/** RFC 7617: base64 of `<key ID>:<secret>`; only the one canonical base64 text of it is taken. */
function fromBasic(encoded: string): Presented {
  if (encoded.includes(',')) return JOINED
  if (encoded.length > 256) return MALFORMED
  const text = Buffer.from(encoded, 'base64').toString('latin1')
  if (Buffer.from(text, 'latin1').toString('base64') !== encoded) return MALFORMED
  const colon = text.indexOf(':')
  if (colon === -1 || !parseKeyId(text.slice(0, colon)).ok) return MALFORMED
  return fromKey(`${text.slice(0, colon)}_${text.slice(colon + 1)}`)
}
