/** The frames of the bypass corpus on the gRPC port: refused by HTTP/2 or answered with no decision, and others go on. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CASES } from '../corpus/cases.ts'
import { checkMessage, type GrpcClient, type GrpcServer, grpcClient, startGrpcServer } from '../support/grpc-server.ts'
import {
  CHECK_FIELDS,
  checkFrames,
  type Field,
  FLAG,
  FRAME,
  type FrameClient,
  frame,
  frameClient,
  grpcFramed,
  headerBlock,
  headersFrame,
} from '../support/h2-frames.ts'
import { THREE_TRIALS } from '../support/trials.ts'

let server: GrpcServer
let client: GrpcClient
let raw: FrameClient

beforeAll(async () => {
  server = await startGrpcServer()
  client = grpcClient(server.port)
  await Promise.all(Array.from({ length: 500 }, () => client.check(checkMessage(server.key))))
})

afterEach(async () => {
  raw.stop()
  expect((await client.check(checkMessage(server.key))).status?.code).toBe(0)
})

afterAll(async () => {
  client.stop()
  await server.stop()
})

const END = FLAG.END_HEADERS | FLAG.END_STREAM
const with_ = (changes: Readonly<Record<string, string | undefined>>): readonly Field[] =>
  CHECK_FIELDS.flatMap(([name, value]) => {
    const other = name in changes ? changes[name] : value
    return other === undefined ? [] : [[name, other] as const]
  })

/** What a stream of these fields with a good message in it ends in: refused by HTTP/2, or gRPC's and HTTP's own no. */
async function outcome(fields: readonly Field[]): Promise<string> {
  raw = await frameClient(server.port)
  await raw.send(headersFrame(1, fields))
  const payload = grpcFramed(checkMessage(server.key))
  await raw.send(frame({ type: FRAME.DATA, flags: FLAG.END_STREAM, stream: 1, payload }))
  const last = await raw.streamEnd(1)
  if (raw.frames.some(({ type, stream }) => type === FRAME.DATA && stream === 1)) return 'answered'
  if (last === undefined || last.type === FRAME.RST_STREAM) return 'protocol error'
  const text = last.payload.toString('latin1')
  return /grpc-status.12/s.test(text) ? 'unimplemented' : 'refused'
}

/** Sends until the server has had enough or all is sent; then the connection's end is awaited. */
async function flood(bytes: Uint8Array, times: number): Promise<void> {
  for (let i = 0; i < times && !raw.closed(); i++) await raw.send(bytes)
}

const RUN: Readonly<Record<string, () => Promise<void>>> = {
  'H2-path-dup': async () => {
    expect(await outcome([...CHECK_FIELDS.slice(0, 3), [':path', '/admin'], ...CHECK_FIELDS.slice(3)])).toBe(
      'protocol error',
    )
  },
  'H2-path-empty': async () => {
    expect(['protocol error', 'unimplemented']).toContain(await outcome(with_({ ':path': '' })))
  },
  'H2-path-missing': async () => {
    expect(await outcome(with_({ ':path': undefined }))).toBe('protocol error')
  },
  'H2-path-noslash': async () => {
    const path = 'envoy.service.auth.v3.Authorization/Check'
    expect(['protocol error', 'unimplemented']).toContain(await outcome(with_({ ':path': path })))
  },
  'H2-path-crlf': async () => {
    expect(await outcome(with_({ ':path': '/api/x\r\nX-Keyward-Key-Id: admin' }))).toBe('protocol error')
  },
  'H2-hdr-crlf': async () => {
    expect(await outcome([...CHECK_FIELDS, ['x-a', 'b\r\nhost: evil']])).not.toBe('unimplemented')
  },
  'H2-pseudo-after': async () => {
    expect(await outcome([['x-a', 'b'], ...CHECK_FIELDS])).toBe('protocol error')
  },
  'H2-cl-mismatch': async () => {
    expect(await outcome([...CHECK_FIELDS, ['content-length', '5']])).toBe('protocol error')
  },
  'H2-ext-connect': async () => {
    expect(await outcome([...with_({ ':method': 'CONNECT' }), [':protocol', 'websocket']])).toBe('protocol error')
  },
  'H2-continuation': async () => {
    raw = await frameClient(server.port)
    const before = server.rssMb()
    await raw.send(headersFrame(1, CHECK_FIELDS, 0))
    const more = frame({ type: FRAME.CONTINUATION, stream: 1, payload: headerBlock([['x-a', 'a'.repeat(1000)]]) })
    await flood(more, 10_000)
    await raw.end()
    expect(server.rssMb() - before).toBeLessThan(20)
  },
  'H2-settings-flood': async () => {
    for (const one of [frame({ type: FRAME.SETTINGS }), frame({ type: FRAME.PING, payload: Buffer.alloc(8) })]) {
      raw?.stop()
      raw = await frameClient(server.port)
      await flood(Buffer.concat(Array.from({ length: 1000 }, () => one)), 100)
      await raw.end()
    }
  },
  'H2-hpack-bomb': async () => {
    raw = await frameClient(server.port)
    const before = server.rssMb()
    // 4,000 bytes into the dynamic table once, and then as often as a frame can name them
    const indexed = Buffer.concat([Buffer.of(0x40), headerBlock([['x-bomb', 'a'.repeat(3900)]]).subarray(1)])
    const block = Buffer.concat([headerBlock(CHECK_FIELDS), indexed, Buffer.alloc(5000, 0x80 | 62)])
    await raw.send(frame({ type: FRAME.HEADERS, flags: END, stream: 1, payload: block }))
    const last = await raw.streamEnd(1)
    expect([undefined, FRAME.RST_STREAM]).toContain(last?.type)
    expect(server.rssMb() - before).toBeLessThan(20)
  },
  'H2-cookie-crumb': async () => {
    raw = await frameClient(server.port)
    const crumbs = headerBlock(Array.from({ length: 1000 }, () => ['cookie', 'a'] as const))
    await raw.send(headersFrame(1, CHECK_FIELDS, 0))
    for (let i = 0; i < 100 && !raw.closed(); i++) {
      const flags = i === 99 ? FLAG.END_HEADERS : 0
      await raw.send(frame({ type: FRAME.CONTINUATION, flags, stream: 1, payload: crumbs }))
    }
    await raw.streamEnd(1)
    expect(raw.frames.some(({ type }) => type === FRAME.DATA)).toBe(false)
  },
  'H2-trailers-alias': async () => {
    raw = await frameClient(server.port)
    await raw.send(headersFrame(1, CHECK_FIELDS))
    const payload = grpcFramed(checkMessage('none'))
    await raw.send(frame({ type: FRAME.DATA, stream: 1, payload }))
    await raw.send(headersFrame(1, [['x_keyward_key_id', 'admin']], END))
    const answer = await raw.one('the answer', ({ type }) => type === FRAME.DATA)
    expect(answer.payload.toString('latin1')).toContain('"code":"invalid_key"')
  },
  'H2-tiny-data': async () => {
    raw = await frameClient(server.port)
    const before = server.rssMb()
    const streams = Array.from({ length: 100 }, (_, i) => 2 * i + 1)
    for (const stream of streams) await raw.send(headersFrame(stream, CHECK_FIELDS))
    const round = (byte: number) =>
      Buffer.concat(streams.map((stream) => frame({ type: FRAME.DATA, stream, payload: Buffer.of(byte) })))
    // a message of 60,000 bytes is announced on each; 2,000 of them come, one by one
    for (const byte of [0, 0, 0, 0xea, 0x60]) await raw.send(round(byte))
    const zero = round(0)
    const growth: number[] = []
    for (let i = 0; i < 2000 && !raw.closed(); i++) {
      await raw.send(zero)
      if (i % 200 === 0) growth.push(server.rssMb() - before)
    }
    expect(Math.max(...growth)).toBeLessThan(64)
  },
}

describe('the bypass corpus', () => {
  test.each(CASES.filter(({ kind }) => kind === 'h2-frames').map(({ id }) => id))('%s', THREE_TRIALS, async (id) => {
    const run = RUN[id]
    if (run === undefined) throw new Error('nothing runs this case')
    await run()
  })
})

test('a check with all its frames in order is answered', async () => {
  raw = await frameClient(server.port)
  await raw.send(checkFrames(1, checkMessage(server.key)))
  const answer = await raw.one('the answer', ({ type }) => type === FRAME.DATA)
  expect(answer.payload.toString('latin1')).toContain('x-keyward-key-id')
})
