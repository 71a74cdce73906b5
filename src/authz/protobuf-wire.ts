/** The wire format of protobuf, walked in place: nothing is copied or built but the texts that somebody asks for. */

/** Bytes that are no message, whatever message they were meant to be. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

export const VARINT = 0
const FIXED64 = 1
export const BYTES = 2
const START_GROUP = 3
const END_GROUP = 4
const FIXED32 = 5

/** Fields in one message, its submessages included: what is skipped as a whole counts once. */
const MAX_FIELDS = 16_384
/** As deep as other readers go. */
const MAX_DEPTH = 100

/** The tag of a field: its number and how it is written, in one number as on the wire. */
export const tagOf = (field: number, type: number): number => (field << 3) | type

/** A place in a message. Every read is bounded by the end of the submessage that it belongs to, which the caller holds. */
export class WireReader {
  readonly #bytes: Uint8Array
  /** The whole message at once: its texts are cut from it, which is far cheaper than one call into node for each. */
  readonly #text: string
  at = 0
  #fields = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  }

  get end(): number {
    return this.#bytes.length
  }

  /** The next field of the submessage that ends there. */
  tag(end: number): number {
    if (++this.#fields > MAX_FIELDS) throw new Malformed('too many fields')
    const tag = this.#uint32(end)
    if (tag < 8) throw new Malformed('field number 0')
    return tag
  }

  /** Where the submessage or text that stands here ends; `at` is then its beginning. */
  lengthDelimited(end: number): number {
    const length = this.#uint32(end)
    const own = this.at + length
    if (own > end) throw new Malformed('longer than what it stands in')
    return own
  }

  /** The bytes up to there, one character each: as node's HTTP parser gives header values. */
  latin1(end: number): string {
    const text = this.#text.slice(this.at, end)
    this.at = end
    return text
  }

  /** Passes over the value of a field that nobody here knows. */
  skip(tag: number, end: number): void {
    this.#skip(tag, end, 0)
  }

  #skip(tag: number, end: number, depth: number): void {
    switch (tag & 7) {
      case VARINT:
        this.#skipVarint(end)
        break
      case FIXED64:
        this.#forward(8, end)
        break
      case BYTES:
        this.at = this.lengthDelimited(end)
        break
      case START_GROUP:
        this.#skipGroup(tag >>> 3, end, depth + 1)
        break
      case FIXED32:
        this.#forward(4, end)
        break
      default:
        throw new Malformed('a wire type that there is not, or the end of no group')
    }
  }

  #skipGroup(field: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new Malformed('too deep')
    for (;;) {
      const tag = this.tag(end)
      if ((tag & 7) !== END_GROUP) this.#skip(tag, end, depth)
      else if (tag >>> 3 === field) return
      else throw new Malformed('the end of another group')
    }
  }

  #forward(count: number, end: number): void {
    this.at += count
    if (this.at > end) throw new Malformed('cut off')
  }

  #skipVarint(end: number): void {
    for (let i = 0; i < 10; i++) if (this.#byte(end) < 0x80) return
    throw new Malformed('a number longer than any')
  }

  #byte(end: number): number {
    if (this.at >= end) throw new Malformed('cut off')
    return this.#bytes[this.at++] ?? 0
  }

  #uint32(end: number): number {
    let byte = this.#byte(end)
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#byte(end)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    byte = this.#byte(end)
    if (byte > 0x0f) throw new Malformed('a tag or length of more than 32 bits')
    return (value | (byte << 28)) >>> 0
  }
}

/** How many bytes a number takes. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) length++
  return length
}

/** Writes a number below 2^32; where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let here = at
  while (rest > 0x7f) {
    bytes[here++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[here++] = rest
  return here
}
