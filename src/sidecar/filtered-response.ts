/** A list response held back until it is whole, and then cut down to the visible set. */
import { isUtf8 } from 'node:buffer'
import { filterList } from '../core/filter.ts'
import type { Filter } from '../core/narrow.ts'
import { HELD_BYTES } from './limits.ts'
import type { UpstreamFields } from './response-head.ts'

export type Whole = { readonly body: Uint8Array<ArrayBufferLike> } | { readonly failed: string }

/** Why a response can not be cut, told by its head. */
export function unfilterable(status: number, fields: UpstreamFields): string | undefined {
  if (status !== 200) return `the upstream answered ${status} instead of 200`
  const coding = fields['content-encoding']
  if (coding !== undefined && coding !== 'identity') return `the upstream answered with Content-Encoding ${coding}`
  return undefined
}

/** What may be held at once, by whatever shares it; `held` is what is held now. */
export type Room = { held: number; readonly most: number }

/** All proxies of a process have one memory. */
const PROCESS: Room = { held: 0, most: HELD_BYTES }

const FIRST_BYTES = 16 * 1024

export class HeldBody {
  readonly #filter: Filter
  readonly #maxBytes: number
  readonly #room: Room
  /** One piece that grows: what an upstream sends byte by byte is no heavier than what it sends at once. */
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0
  #taken = 0

  constructor(filter: Filter, maxBytes: number, room: Room = PROCESS) {
    this.#filter = filter
    this.#maxBytes = maxBytes
    this.#room = room
  }

  /** Why the body can not be held any longer. */
  add(chunk: Uint8Array): string | undefined {
    const length = this.#length + chunk.length
    if (length > this.#maxBytes) return `the upstream answered with more than ${this.#maxBytes} bytes`
    if (length > this.#buffer.length && !this.#grow(length)) return 'too many long lists are being answered at once'
    this.#buffer.set(chunk, this.#length)
    this.#length = length
    return undefined
  }

  end(): Whole {
    const filtered = filterList(this.#buffer.subarray(0, this.#length), this.#filter, isUtf8)
    // what is left is no larger, and waits in its stead for the caller to read it
    this.#buffer = Buffer.alloc(0)
    return filtered.ok ? { body: filtered.body } : { failed: filtered.why }
  }

  /** Nothing of it is needed any more: it is answered, or nobody waits for it. */
  readonly release = (): void => {
    this.#room.held -= this.#taken
    this.#taken = 0
    this.#buffer = Buffer.alloc(0)
  }

  #grow(needed: number): boolean {
    const size = Math.min(Math.max(needed, 2 * this.#buffer.length, FIRST_BYTES), this.#maxBytes)
    const more = size - this.#taken
    if (this.#room.held + more > this.#room.most) return false
    this.#room.held += more
    this.#taken = size
    const larger = Buffer.allocUnsafeSlow(size)
    larger.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = larger
    return true
  }
}
