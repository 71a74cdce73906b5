/** HTTP/2 frame by frame over a plain socket: everything that a well-behaved client would not send. */
import { connect, type Socket } from 'node:net'
import { until } from './until.ts'

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4 } as const

export type Frame = { readonly type: number; readonly flags: number; readonly stream: number; readonly payload: Buffer }

export type Wanted = {
  readonly type: number
  readonly flags?: number
  readonly stream?: number
  readonly payload?: Uint8Array
}

export function frame({ type, flags = 0, stream = 0, payload = new Uint8Array() }: Wanted): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, 9)
  return bytes
}

export type Field = readonly [name: string, value: string]

/** HPACK, every field as a literal that is not indexed and not compressed (RFC 7541 §6.2.2). */
export const headerBlock = (fields: readonly Field[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(bytes.length), bytes])
}

function integer(value: number): Buffer {
  if (value < 127) return Buffer.of(value)
  const bytes = [127]
  let rest = value - 127
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.of(...bytes, rest)
}

export const CHECK_FIELDS: readonly Field[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/envoy.service.auth.v3.Authorization/Check'],
  [':authority', 'keyward'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
]

/** A message as gRPC frames it. */
export function grpcFramed(message: Uint8Array, compressed = 0): Buffer {
  const bytes = Buffer.alloc(5 + message.length)
  bytes[0] = compressed
  bytes.writeUInt32BE(message.length, 1)
  bytes.set(message, 5)
  return bytes
}

export const headersFrame = (stream: number, fields: readonly Field[], flags: number = FLAG.END_HEADERS): Buffer =>
  frame({ type: FRAME.HEADERS, flags, stream, payload: headerBlock(fields) })

/** A whole Check. */
export const checkFrames = (stream: number, message: Uint8Array): Buffer =>
  Buffer.concat([
    headersFrame(stream, CHECK_FIELDS),
    frame({ type: FRAME.DATA, flags: FLAG.END_STREAM, stream, payload: grpcFramed(message) }),
  ])

export type FrameClient = {
  readonly socket: Socket
  readonly frames: Frame[]
  /** Resolves once the bytes are out of this process, or the connection is gone. */
  readonly send: (bytes: Uint8Array) => Promise<void>
  readonly closed: () => boolean
  readonly one: (what: string, matches: (frame: Frame) => boolean) => Promise<Frame>
  /** GOAWAY or the end of the connection. */
  readonly end: () => Promise<void>
  /** The end of one stream: its last frame, or the connection's end. */
  readonly streamEnd: (stream: number) => Promise<Frame | undefined>
  readonly stop: () => void
}

/** Connected, with preface and empty SETTINGS sent. */
export async function frameClient(port: number): Promise<FrameClient> {
  const socket = connect(port, '127.0.0.1')
  const frames: Frame[] = []
  let rest = Buffer.alloc(0)
  let over = false
  socket.on('error', () => undefined)
  socket.on('close', () => {
    over = true
  })
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3)
      const [type = 0, flags = 0] = rest.subarray(3, 5)
      frames.push({
        type,
        flags,
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(rest.subarray(9, end)),
      })
      rest = rest.subarray(end)
    }
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(frame({ type: FRAME.SETTINGS }))
  const find = (matches: (frame: Frame) => boolean) => frames.find(matches)
  const isLast = (stream: number) => (one: Frame) =>
    one.stream === stream &&
    (one.type === FRAME.RST_STREAM ||
      ((one.type === FRAME.HEADERS || one.type === FRAME.DATA) && (one.flags & 1) === 1))
  return {
    socket,
    frames,
    send: (bytes) =>
      new Promise((resolve) => {
        if (over || socket.destroyed) resolve()
        else socket.write(bytes, () => resolve())
      }),
    closed: () => over,
    one: (what, matches) => until(what, () => find(matches), 30_000),
    end: async () => {
      await until('GOAWAY or the end', () => over || find(({ type }) => type === FRAME.GOAWAY) !== undefined, 30_000)
    },
    streamEnd: async (stream) => {
      await until(`the end of stream ${stream}`, () => over || find(isLast(stream)) !== undefined, 30_000)
      return find(isLast(stream))
    },
    stop: () => socket.destroy(),
  }
}

/** The error code of RST_STREAM and GOAWAY. */
export const errorCode = ({ type, payload }: Frame): number => payload.readUInt32BE(type === FRAME.GOAWAY ? 4 : 0)
