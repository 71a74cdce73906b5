/**
 * One reading of a request target, or a refusal.
 * Nothing is repaired: a path that a second parser could read differently (RFC 3986 §6.2.2, dot segments, encoded
 * delimiters, path parameters, overlong or compatibility characters) is refused, so what was decided is what arrives.
 */

export type Target = {
  /** As received, without the query. */
  readonly path: string
  /** As received, without the `?`; undefined where there is none. */
  readonly query: string | undefined
  /** Percent-decoded; the last is empty where the path ends in a slash, and `/` is one empty segment. */
  readonly segments: readonly string[]
}

export type Refused = { readonly refused: string }

// RFC 3986 pchar without `;`, and the slash
const PLAIN_PATH = /^[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/
const ENCODED_PATH = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*$/
// visible ASCII without `#` and `\`: how the query is taken apart is the upstream's affair, where it ends is not
const QUERY = /^(?:[!"$&-[\]-~]|%[0-9A-Fa-f]{2})*$/
// what no segment may hold once decoded: delimiters, the percent sign of a second encoding, controls
const HIDDEN = /[/\\;?#%\u0000-\u001f\u007f-\u009f]/u
// what a server that folds compatibility characters (NFKC) would take for a delimiter
const FOLDED = /[/\\;?#%]|^\.{1,2}$/u
const UNRESERVED_ENCODED = /%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aA]|7[eE])/

/** Percent-decoded byte by byte, as latin1: a query need not be UTF-8, and its malformed parts are left as they are. */
export function unescaped(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/**
 * What compatibility characters stand for (NFKC), without combining marks: none of those stands for a delimiter or a letter
 * of ASCII, and to put a thousand of them in order takes time that grows with their square.
 */
export const compatible = (text: string): string => text.replace(/\p{M}+/gu, '').normalize('NFKC')

const refused = (why: string): Refused => ({ refused: why })

export function parseTarget(target: string): Target | Refused {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? undefined : target.slice(mark + 1)
  if (path.charCodeAt(0) !== 0x2f) return refused('not in origin form: it must begin with a slash')
  if (query !== undefined && !QUERY.test(query)) return refused('the query holds a character that must be encoded')
  const segments = segmentsOf(path)
  return 'refused' in segments ? segments : { path, query, segments }
}

function segmentsOf(path: string): readonly string[] | Refused {
  const plain = PLAIN_PATH.test(path)
  if (!plain && !ENCODED_PATH.test(path))
    return refused('the path holds a character that must be encoded, or a stray %')
  if (!plain && UNRESERVED_ENCODED.test(path)) return refused('a letter, digit or one of - . _ ~ is percent-encoded')
  const segments = path.slice(1).split('/')
  for (let i = 0; i < segments.length; i++) {
    const read = readSegment(segments[i] ?? '', i === segments.length - 1)
    if (typeof read !== 'string') return read
    segments[i] = read
  }
  return segments
}

function readSegment(raw: string, last: boolean): string | Refused {
  if (raw === '') return last ? raw : refused('an empty segment')
  if (raw === '.' || raw === '..') return refused('a dot segment')
  return raw.includes('%') ? decode(raw) : raw
}

function decode(raw: string): string | Refused {
  let text: string
  try {
    text = decodeURIComponent(raw)
  } catch {
    return refused('percent-encoding that is not UTF-8')
  }
  if (HIDDEN.test(text)) return refused('an encoded delimiter or control character')
  if (FOLDED.test(compatible(text))) return refused('a compatibility form of a delimiter')
  return text
}
