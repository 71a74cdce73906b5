/** HTTP/2 as bytes: frames and header blocks as their writer likes them, right or wrong (RFC 9113, RFC 7541). */

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

/** END_STREAM and ACK are one bit, each on frames of its own. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

export const ERRORS = { protocol: 1, flow: 3, calm: 11 } as const

export type Field = readonly [name: string, value: string]

export type FrameOptions = { readonly flags?: number; readonly stream?: number }

const EMPTY = Buffer.alloc(0)
const HEAD_BYTES = 9

/** One frame; nothing about it is checked. */
export function frame(type: number, payload: Uint8Array = EMPTY, { flags = 0, stream = 0 }: FrameOptions = {}): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, HEAD_BYTES)
  return bytes
}

/** Pairs of identifier and value. */
export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer => {
  const payload = Buffer.alloc(6 * pairs.length)
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  })
  return frame(TYPE.settings, payload)
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** What a client begins with. The other side is asked for a dynamic table of nothing, so that its answers stand for themselves. */
export const GREETING = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings([1, 0])])

/** A number behind the first bits of a byte (RFC 7541 §5.1). */
export function integer(first: number, bits: number, value: number): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.of(first | value)
  const bytes = [first | most]
  let rest = value - most
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** Latin-1, without Huffman coding. */
const text = (value: string): Buffer => Buffer.concat([integer(0, 7, value.length), Buffer.from(value, 'latin1')])

/** A field with its name, which nobody is to remember. */
export const literal = ([name, value]: Field): Buffer => Buffer.concat([Buffer.of(0), text(name), text(value)])

/** A field with its name, which goes into the table of the other side. */
export const remembered = ([name, value]: Field): Buffer => Buffer.concat([Buffer.of(0x40), text(name), text(value)])

/** A field of the table: 62 is what was remembered last. */
export const indexed = (index: number): Buffer => integer(0x80, 7, index)

export const block = (fields: readonly Field[]): Buffer => Buffer.concat(fields.map(literal))

/** A whole header block in one frame. */
export const headers = (stream: number, fields: readonly Field[], more: { readonly end?: boolean } = {}): Buffer =>
  frame(TYPE.headers, block(fields), { stream, flags: FLAG.endHeaders | (more.end === true ? FLAG.endStream : 0) })

export const data = (stream: number, payload: Uint8Array, more: { readonly end?: boolean } = {}): Buffer =>
  frame(TYPE.data, payload, { stream, flags: more.end === true ? FLAG.endStream : 0 })

/** A message as gRPC frames it. */
export const framed = (message: Uint8Array, flags = 0): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix[0] = flags
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}
