/** A caller that speaks HTTP/2 in bytes, over TCP or TLS, and keeps what it hears. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { until } from '../support/until.ts'
import { type Field, FLAG, frame, GREETING, TYPE } from './h2-frames.ts'
import { fieldsOf } from './hpack-read.ts'

/** A port, and of TLS who issued its certificate. */
export type Place = { readonly port: number; readonly ca?: string }

export type HeardStream = {
  readonly fields: Field[]
  data: Buffer
  ended: boolean
  /** The error code of RST_STREAM. */
  reset: number | undefined
}

export type Caller = {
  readonly socket: Socket
  /** Resolves when there is room for more, or nobody reads any longer. */
  readonly send: (...bytes: readonly Uint8Array[]) => Promise<void>
  readonly stream: (id: number) => HeardStream
  /** The error code of GOAWAY. */
  readonly goaway: () => number | undefined
  readonly isClosed: () => boolean
  /** Bytes of DATA that the other side takes now, over all streams. */
  readonly room: () => number
  /** Counts off what was sent as DATA. */
  readonly used: (bytes: number) => void
  readonly pings: () => number
  readonly close: () => void
}

export async function call(place: Place, greeting: Uint8Array = GREETING): Promise<Caller> {
  const socket = await connected(place)
  const streams = new Map<number, HeardStream>()
  let [goaway, closed, room, pings]: [number | undefined, boolean, number, number] = [undefined, false, 65_535, 0]
  const stream = (id: number): HeardStream => {
    const known = streams.get(id)
    if (known !== undefined) return known
    const fresh: HeardStream = { fields: [], data: Buffer.alloc(0), ended: false, reset: undefined }
    streams.set(id, fresh)
    return fresh
  }
  const hear = ({ type, flags, id, payload }: Frame) => {
    if (type === TYPE.headers) stream(id).fields.push(...fieldsOf(payload))
    if (type === TYPE.data) stream(id).data = Buffer.concat([stream(id).data, payload])
    if ((type === TYPE.headers || type === TYPE.data) && (flags & FLAG.endStream) !== 0) stream(id).ended = true
    if (type === TYPE.reset) stream(id).reset = payload.readUInt32BE(0)
    if (type === TYPE.goaway) goaway = payload.readUInt32BE(4)
    if (type === TYPE.window && id === 0) room += payload.readUInt32BE(0)
    if (type === TYPE.ping) pings++
    if (type === TYPE.settings && (flags & FLAG.ack) === 0) socket.write(frame(TYPE.settings, undefined, { flags: 1 }))
  }
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (let next = firstFrame(rest); next !== undefined; next = firstFrame(rest)) {
      rest = rest.subarray(next.length)
      hear(next)
    }
  })
  socket.on('error', () => undefined)
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    closed = true
  })
  const send = (...bytes: readonly Uint8Array[]): Promise<void> =>
    new Promise((resolve) => {
      if (closed || socket.write(Buffer.concat(bytes))) {
        resolve()
        return
      }
      const done = () => {
        socket.off('drain', done).off('close', done)
        resolve()
      }
      socket.on('drain', done).on('close', done)
    })
  await send(greeting)
  return {
    socket,
    send,
    stream,
    goaway: () => goaway,
    isClosed: () => closed,
    room: () => room,
    used: (bytes) => {
      room -= bytes
    },
    pings: () => pings,
    close: () => socket.destroy(),
  }
}

function connected({ port, ca }: Place): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const at = { host: '127.0.0.1', port }
    const socket: Socket =
      ca === undefined
        ? connectTcp(at, () => resolve(socket))
        : connectTls({ ...at, ca, ALPNProtocols: ['h2'] }, () => resolve(socket))
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}

type Frame = {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
  readonly length: number
}

function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 9) return undefined
  const length = 9 + bytes.readUIntBE(0, 3)
  if (bytes.length < length) return undefined
  const [type, flags, id] = [bytes[3] ?? 0, bytes[4] ?? 0, bytes.readUInt32BE(5) & 0x7fffffff]
  return { type, flags, id, payload: bytes.subarray(9, length), length }
}

/** Waits until a stream, or the connection with it, has come to an end. */
export const ended = (caller: Caller, id: number): Promise<unknown> =>
  until(
    `stream ${id} has ended`,
    () => caller.stream(id).ended || caller.stream(id).reset !== undefined || gone(caller),
    30_000,
  )

export const gone = (caller: Caller): boolean => caller.goaway() !== undefined || caller.isClosed()
