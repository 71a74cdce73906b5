/**
 * A list's JSON cut down to the visible set: bytes in, bytes out, or why it can not be cut.
 * Items that are not visible are taken out together with their comma; everything else keeps its bytes. What two parsers
 * could read differently where it matters (a name twice, an id that is not there) is refused, never guessed.
 */
import { follow, pointerOf, type Step, type Walk } from './json-pointer.ts'
import {
  behindClose,
  byteAt,
  CLOSE_ARRAY,
  CLOSED,
  type End,
  firstIn,
  INVALID,
  isQuote,
  nextIn,
  OPEN_ARRAY,
  skipNumber,
  skipSpace,
  skipString,
  startsNumber,
} from './json-scan.ts'
import { type Source, sourceOf, textOf } from './json-text.ts'
import type { Filter } from './narrow.ts'

export type Filtered =
  | { readonly ok: true; readonly body: Uint8Array<ArrayBufferLike> }
  | { readonly ok: false; readonly why: string }

/**
 * Looks at every byte once, and nothing else runs meanwhile: the caller bounds the body.
 * @param isUtf8 as node's `buffer.isUtf8`
 */
export function filterList(
  body: Uint8Array,
  { items, id, visible }: Filter,
  isUtf8: (body: Uint8Array) => boolean,
): Filtered {
  const [toItems, toId] = [pointerOf(items), pointerOf(id)]
  if (toItems === undefined || toId === undefined) return refused('a pointer that is not RFC 6901')
  if (!isUtf8(body)) return refused('the body is not UTF-8')
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const source = sourceOf(bytes)
  const cut = new Cut(source, { toId, visible })
  const list: Walk = {
    bytes,
    source,
    pointer: toItems,
    base: 0,
    onTarget: (at, depth) => cut.array(at, depth),
    found: 0,
    why: undefined,
  }
  const end = follow(list, skipSpace(bytes, 0), 0)
  const why = cut.why ?? list.why
  if (why !== undefined) return refused(why)
  if (end === INVALID || skipSpace(bytes, end) !== bytes.length) return refused('the body is not JSON')
  if (list.found === 0) return refused(`there is nothing at ${items}`)
  return { ok: true, body: cut.result() }
}

const refused = (why: string): Filtered => ({ ok: false, why })

/** So many bytes are copied one by one sooner than by a call. */
const FEW = 48

type Items = { readonly toId: readonly Step[]; readonly visible: ReadonlySet<string> }

/** The array of items, and which of its bytes are kept. */
class Cut {
  why: string | undefined
  readonly #bytes: Buffer
  readonly #source: Source
  readonly #items: Items
  readonly #toId: Walk
  /** undefined: nothing was taken out yet. */
  #out: Buffer | undefined
  #written = 0
  /** Behind what was taken out last. */
  #from = 0
  /** The id of the item that was read last. */
  #id = ''

  constructor(source: Source, items: Items) {
    const { bytes } = source
    this.#bytes = bytes
    this.#source = source
    this.#items = items
    this.#toId = {
      bytes,
      source,
      pointer: items.toId,
      onTarget: (at) => this.#readId(at),
      base: 0,
      found: 0,
      why: undefined,
    }
  }

  array(open: number, depth: number): End {
    const bytes = this.#bytes
    if (byteAt(bytes, open) !== OPEN_ARRAY) return this.#refuse('what stands where the items should is no array')
    let keptOne = false
    let end = open + 1
    let at = firstIn(bytes, open, CLOSE_ARRAY)
    for (let index = 0; at >= 0; index++) {
      const itemEnd = this.#readItem(at, depth + 1)
      if (itemEnd === INVALID) return INVALID
      const isVisible = this.#items.visible.has(this.#id)
      // up to the first item that is kept everything goes but the bracket; between two the comma of the later one stays
      if (!isVisible) this.#drop(index === 0 ? at : end, itemEnd)
      else if (!keptOne && index > 0) this.#drop(end, at)
      keptOne ||= isVisible
      end = itemEnd
      at = nextIn(bytes, end, CLOSE_ARRAY)
    }
    return at === CLOSED ? behindClose(bytes, end) : INVALID
  }

  /** The body without what was taken out. */
  result(): Uint8Array<ArrayBufferLike> {
    if (this.#out === undefined) return this.#bytes
    this.#keep(this.#out, this.#bytes.length)
    return this.#out.subarray(0, this.#written)
  }

  #drop(start: number, end: number): void {
    // never longer than the body: one piece of memory however many items go
    this.#out ??= Buffer.allocUnsafe(this.#bytes.length)
    this.#keep(this.#out, start)
    this.#from = end
  }

  /** Copies what stands between the last thing that was taken out and `end`. */
  #keep(out: Buffer, end: number): void {
    const bytes = this.#bytes
    const length = end - this.#from
    if (length > FEW) bytes.copy(out, this.#written, this.#from, end)
    else for (let i = 0; i < length; i++) out[this.#written + i] = byteAt(bytes, this.#from + i)
    this.#written += length
  }

  #refuse(why: string): End {
    this.why ??= why
    return INVALID
  }

  #readId(at: number): End {
    const bytes = this.#bytes
    const byte = byteAt(bytes, at)
    const quoted = isQuote(byte)
    const end = quoted ? skipString(bytes, at) : startsNumber(byte) ? skipNumber(bytes, at) : INVALID
    if (end === INVALID) return this.#refuse('an item has an id that is neither a string nor a number')
    // a string as it reads, a number as it is written
    this.#id = quoted ? textOf(this.#source, at + 1, end - 1) : textOf(this.#source, at, end)
    return end
  }

  #readItem(at: number, depth: number): End {
    const walk = this.#toId
    walk.found = 0
    walk.base = depth
    const end = follow(walk, at, 0)
    if (walk.why !== undefined) return this.#refuse(walk.why)
    if (end !== INVALID && walk.found === 0) return this.#refuse('an item has no id')
    return end
  }
}
