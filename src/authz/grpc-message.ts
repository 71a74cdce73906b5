/** gRPC's own framing over whatever carries it: the one message of a call, collected from the pieces in which it comes. */

/** A head of 60 KiB is the most that Envoy takes unless it is told otherwise. */
const MAX_MESSAGE_BYTES = 64 * 1024
const PREFIX_BYTES = 5
const EMPTY = Buffer.alloc(0)

/** What came of a call's request once it has ended. */
export type Collected =
  /** undefined: longer than is read. */
  | { readonly kind: 'message'; readonly message: Uint8Array | undefined }
  | { readonly kind: 'compressed' }
  /** None, more than one, or one that is cut off. */
  | { readonly kind: 'notOne' }

const LONG: Collected = { kind: 'message', message: undefined }

export class MessageCollector {
  #bytes: Buffer = EMPTY
  #length = 0
  #long = false

  /** Bytes of memory that it takes. */
  get held(): number {
    return this.#bytes.length
  }

  /** Copies: a piece of a few bytes would else keep the whole buffer that it was read into. */
  take(chunk: Buffer): void {
    if (this.#long) return
    this.#makeRoom(this.#length + chunk.length)
    chunk.copy(this.#bytes, this.#length)
    this.#length += chunk.length
    const announced = this.#length < PREFIX_BYTES ? 0 : this.#bytes.readUInt32BE(1)
    if (announced <= MAX_MESSAGE_BYTES && this.#length <= MAX_MESSAGE_BYTES + PREFIX_BYTES) return
    // the rest is read and forgotten: who sends may well not look for an answer before the end
    this.#long = true
    this.#bytes = EMPTY
  }

  end(): Collected {
    if (this.#long) return LONG
    const length = this.#length
    const bytes = this.#bytes
    if (length < PREFIX_BYTES || bytes.readUInt32BE(1) !== length - PREFIX_BYTES) return { kind: 'notOne' }
    if (bytes[0] !== 0) return { kind: 'compressed' }
    return { kind: 'message', message: bytes.subarray(PREFIX_BYTES, length) }
  }

  /** Grows with what has come, not with what is announced: announcing costs nothing. */
  #makeRoom(needed: number): void {
    if (needed <= this.#bytes.length) return
    const roomier = Buffer.allocUnsafe(this.#length === 0 ? needed : Math.max(needed, 2 * this.#length, 128))
    this.#bytes.copy(roomier, 0, 0, this.#length)
    this.#bytes = roomier
  }
}

/** A message as it goes out. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  bytes.set(message, PREFIX_BYTES)
  return bytes
}
