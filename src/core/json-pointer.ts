/** A JSON Pointer (RFC 6901) followed through the bytes of a document, all of which are checked on the way. */
import {
  behindClose,
  byteAt,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  CLOSED,
  type End,
  firstIn,
  INVALID,
  MAX_DEPTH,
  nextIn,
  OPEN_ARRAY,
  OPEN_OBJECT,
  skipName,
  skipValue,
  valueOfName,
} from './json-scan.ts'
import { isText, type Source, type Text } from './json-text.ts'

/** One step of a JSON Pointer: a member's name, and the place that it means where an array stands. */
export type Step = Text & { readonly place: number | undefined }

export function pointerOf(text: string): readonly Step[] | undefined {
  if (text === '') return []
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined
  return text
    .slice(1)
    .split('/')
    .map((token) => {
      const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
      return {
        text: name,
        utf8: Buffer.from(name),
        place: /^(?:0|[1-9]\d{0,8})$/.test(name) ? Number(name) : undefined,
      }
    })
}

/** A pointer on its way through a document; `found` counts how often its target was met. */
export type Walk = {
  readonly bytes: Buffer
  readonly source: Source
  readonly pointer: readonly Step[]
  readonly onTarget: (at: number, depth: number) => End
  /** How deep in the document the pointer starts. */
  base: number
  found: number
  why: string | undefined
}

export function follow(walk: Walk, at: number, step: number): End {
  const { bytes, pointer, base } = walk
  if (step === pointer.length) {
    walk.found++
    return walk.onTarget(at, base + step)
  }
  if (byteAt(bytes, at) === OPEN_OBJECT) return followName(walk, at, step)
  return byteAt(bytes, at) === OPEN_ARRAY ? followPlace(walk, at, step) : skipValue(bytes, at, base + step)
}

function followPlace(walk: Walk, open: number, step: number): End {
  const { bytes, pointer, base } = walk
  const place = pointer[step]?.place
  const depth = base + step
  if (depth >= MAX_DEPTH) return INVALID
  let end = open + 1
  let at = firstIn(bytes, open, CLOSE_ARRAY)
  for (let index = 0; at >= 0; index++) {
    end = index === place ? follow(walk, at, step + 1) : skipValue(bytes, at, depth + 1)
    if (end === INVALID) return INVALID
    at = nextIn(bytes, end, CLOSE_ARRAY)
  }
  return at === CLOSED ? behindClose(bytes, end) : INVALID
}

function followName(walk: Walk, open: number, step: number): End {
  const { bytes, pointer, base } = walk
  const next = pointer[step]
  const depth = base + step
  if (next === undefined || depth >= MAX_DEPTH) return INVALID
  let met = false
  let end = open + 1
  let at = firstIn(bytes, open, CLOSE_OBJECT)
  while (at >= 0) {
    const nameEnd = skipName(bytes, at)
    const value = valueOfName(bytes, nameEnd)
    if (value === INVALID) return INVALID
    if (isText(walk.source, { start: at + 1, end: nameEnd - 1 }, next)) {
      if (met) {
        walk.why ??= `the name ${next.text} stands twice in one object`
        return INVALID
      }
      met = true
      end = follow(walk, value, step + 1)
    } else end = skipValue(bytes, value, depth + 1)
    if (end === INVALID) return INVALID
    at = nextIn(bytes, end, CLOSE_OBJECT)
  }
  return at === CLOSED ? behindClose(bytes, end) : INVALID
}
