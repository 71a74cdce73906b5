/**
 * JSON (RFC 8259) walked over in its bytes, without building what it says: where a value ends, or that it is none.
 * Each byte is looked at once, so the time is linear, and what is not touched keeps its bytes, numbers their text.
 */

/** Where the next byte after something lies; -1: what stands there is not valid JSON. */
export type End = number

export const INVALID: End = -1

/** Instead of a next element or member: the array or object closes. */
export const CLOSED = -2

/** Deeper than any list needs, and well within what the stack holds. */
export const MAX_DEPTH = 256

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

export type Bytes = Uint8Array

/** Behind the end 0, which is no JSON anywhere: a read within bounds is several times as fast as one that may miss. */
export const byteAt = (bytes: Bytes, at: number): number => (at < bytes.length ? (bytes[at] as number) : 0)

export const isQuote = (byte: number): boolean => byte === QUOTE

export const startsNumber = (byte: number): boolean => byte === MINUS || isDigit(byte)

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

export function skipSpace(bytes: Bytes, start: number): number {
  let at = start
  let byte = byteAt(bytes, at)
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = byteAt(bytes, ++at)
  return at
}

export function skipValue(bytes: Bytes, at: number, depth: number): End {
  switch (byteAt(bytes, at)) {
    case QUOTE:
      return skipString(bytes, at)
    case OPEN_OBJECT:
      return skipMembers(bytes, at, depth)
    case OPEN_ARRAY:
      return skipElements(bytes, at, depth)
    case 0x74:
      return skipWord(bytes, at, 'true')
    case 0x66:
      return skipWord(bytes, at, 'false')
    case 0x6e:
      return skipWord(bytes, at, 'null')
    default:
      return skipNumber(bytes, at)
  }
}

/** @param start the opening quote */
export function skipString(bytes: Bytes, start: number): End {
  const { length } = bytes
  for (let at = start + 1; at < length; at++) {
    const byte = bytes[at] as number
    if (byte === QUOTE) return at + 1
    if (byte < 0x20) return INVALID
    if (byte === BACKSLASH) {
      at = skipEscape(bytes, at + 1)
      if (at === INVALID) return INVALID
    }
  }
  return INVALID
}

/** Gives the last byte of the escape, not the one after it. */
function skipEscape(bytes: Bytes, at: number): number {
  switch (byteAt(bytes, at)) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at
    case 0x75:
      return isHex(byteAt(bytes, at + 1)) &&
        isHex(byteAt(bytes, at + 2)) &&
        isHex(byteAt(bytes, at + 3)) &&
        isHex(byteAt(bytes, at + 4))
        ? at + 4
        : INVALID
    default:
      return INVALID
  }
}

const isHex = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)

function skipWord(bytes: Bytes, start: number, word: string): End {
  for (let i = 1; i < word.length; i++) if (byteAt(bytes, start + i) !== word.charCodeAt(i)) return INVALID
  return start + word.length
}

export function skipNumber(bytes: Bytes, start: number): End {
  let at = byteAt(bytes, start) === MINUS ? start + 1 : start
  if (byteAt(bytes, at) === 0x30) at++
  else {
    at = skipDigits(bytes, at)
    if (at === INVALID) return INVALID
  }
  if (byteAt(bytes, at) === 0x2e) {
    at = skipDigits(bytes, at + 1)
    if (at === INVALID) return INVALID
  }
  const byte = byteAt(bytes, at)
  if (byte !== 0x65 && byte !== 0x45) return at
  const sign = byteAt(bytes, at + 1)
  return skipDigits(bytes, sign === 0x2b || sign === MINUS ? at + 2 : at + 1)
}

/** At least one. */
function skipDigits(bytes: Bytes, start: number): End {
  let at = start
  while (isDigit(byteAt(bytes, at))) at++
  return at === start ? INVALID : at
}

function skipElements(bytes: Bytes, open: number, depth: number): End {
  if (depth >= MAX_DEPTH) return INVALID
  let end = open + 1
  let at = firstIn(bytes, open, CLOSE_ARRAY)
  while (at >= 0) {
    end = skipValue(bytes, at, depth + 1)
    if (end === INVALID) return INVALID
    at = nextIn(bytes, end, CLOSE_ARRAY)
  }
  return at === CLOSED ? behindClose(bytes, end) : INVALID
}

function skipMembers(bytes: Bytes, open: number, depth: number): End {
  if (depth >= MAX_DEPTH) return INVALID
  let end = open + 1
  let at = firstIn(bytes, open, CLOSE_OBJECT)
  while (at >= 0) {
    const value = valueOfName(bytes, skipName(bytes, at))
    end = value === INVALID ? INVALID : skipValue(bytes, value, depth + 1)
    if (end === INVALID) return INVALID
    at = nextIn(bytes, end, CLOSE_OBJECT)
  }
  return at === CLOSED ? behindClose(bytes, end) : INVALID
}

/** The first element or member of what opens at `open`, or CLOSED where it is empty. */
export function firstIn(bytes: Bytes, open: number, close: number): number {
  const at = skipSpace(bytes, open + 1)
  return byteAt(bytes, at) === close ? CLOSED : at
}

/** The next element or member behind one that ends at `end`, or CLOSED, or INVALID. */
export function nextIn(bytes: Bytes, end: End, close: number): number {
  const at = skipSpace(bytes, end)
  if (byteAt(bytes, at) === COMMA) return skipSpace(bytes, at + 1)
  return byteAt(bytes, at) === close ? CLOSED : INVALID
}

/** Behind the bracket that follows the last element or member. */
export const behindClose = (bytes: Bytes, lastEnd: End): End => skipSpace(bytes, lastEnd) + 1

/** Behind a member's name. */
export const skipName = (bytes: Bytes, at: number): End =>
  byteAt(bytes, at) === QUOTE ? skipString(bytes, at) : INVALID

/** The start of the value that belongs to a name. */
export function valueOfName(bytes: Bytes, nameEnd: End): number {
  if (nameEnd === INVALID) return INVALID
  const at = skipSpace(bytes, nameEnd)
  return byteAt(bytes, at) === COLON ? skipSpace(bytes, at + 1) : INVALID
}
