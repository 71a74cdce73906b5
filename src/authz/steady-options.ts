/** What is the same in every answer about a key, kept as it was written last: an answer is then mostly one copy. */
import type { Fields } from '../core/headers.ts'

/** Keys that are kept at least; at most twice as many, a few hundred bytes each. */
const ROOM = 8192
/** What is longer lists what a key may see, and hardly comes twice. */
const MOST_BYTES = 1024

type Kept = { readonly fields: Fields; readonly bytes: Uint8Array }

export class SteadyOptions {
  #young = new Map<object, Kept>()
  #old = new Map<object, Kept>()

  /** The first so many of the fields as bytes, by whose they are. They are compared each time: nothing has to be dropped. */
  find(owner: object, fields: Fields, count: number): Uint8Array | undefined {
    const kept = this.#young.get(owner) ?? this.#old.get(owner)
    if (kept === undefined || kept.fields.length !== count) return undefined
    for (let i = 0; i < count; i++) if (kept.fields[i] !== fields[i]) return undefined
    return kept.bytes
  }

  /** @param fields those that repeat and no others, which the bytes are written from */
  keep(owner: object, fields: Fields, bytes: Uint8Array): void {
    if (bytes.length > MOST_BYTES) return
    if (this.#young.size >= ROOM) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(owner, { fields, bytes })
  }
}
