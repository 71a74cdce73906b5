/** Clients that want too much: their connection ends or waits, the others are served, and memory stays bounded. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { awakeMs } from '../support/awake.ts'
import { checkMessage, type GrpcClient, type GrpcServer, grpcClient, startGrpcServer } from '../support/grpc-server.ts'
import {
  CHECK_FIELDS,
  checkFrames,
  FLAG,
  FRAME,
  type FrameClient,
  frame,
  frameClient,
  grpcFramed,
  headersFrame,
} from '../support/h2-frames.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

let server: GrpcServer
let good: GrpcClient
let before: number
let opened: FrameClient[] = []

beforeAll(async () => {
  server = await startGrpcServer()
  good = grpcClient(server.port)
  for (let i = 0; i < 20; i++) {
    await Promise.all(Array.from({ length: 200 }, () => good.check(checkMessage(server.key))))
  }
})

beforeEach(() => {
  before = server.rssMb()
})

afterEach(() => {
  for (const one of opened) one.stop()
  opened = []
})

afterAll(async () => {
  good.stop()
  expect(await server.stop()).toBe(0)
})

const open = async (): Promise<FrameClient> => {
  const client = await frameClient(server.port)
  opened.push(client)
  return client
}

/** Does something while another client asks on and on; every answer of that one is a yes, in time. */
async function whileServing(act: () => Promise<void>): Promise<void> {
  let done = false
  const acting = act().finally(() => {
    done = true
  })
  let asked = 0
  while (!done || asked < 20) {
    const begun = awakeMs()
    expect((await good.check(checkMessage(server.key))).status?.code).toBe(0)
    expect(awakeMs() - begun).toBeLessThan(10_000)
    asked++
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await acting
}

/** As the kernel sees it from the server's side: a client that does not read would not notice. */
const isConnected = (client: number, at: number): boolean => {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  const connected = new RegExp(`:${hex(at)} [0-9A-F]{8}:${hex(client)} 01 `)
  return connected.test(readFileSync('/proc/net/tcp', 'utf8'))
}

const RST = (stream: number) => frame({ type: FRAME.RST_STREAM, stream, payload: Buffer.of(0, 0, 0, 8) })

test('rapid reset: a connection that opens and resets without end is closed', THREE_TRIALS, async () => {
  const bad = await open()
  await whileServing(async () => {
    for (let stream = 1; stream < 60_000 && !bad.closed(); stream += 200) {
      const burst = Array.from({ length: 100 }, (_, i) => [
        headersFrame(stream + 2 * i, CHECK_FIELDS),
        RST(stream + 2 * i),
      ])
      await bad.send(Buffer.concat(burst.flat()))
    }
    await bad.end()
  })
  expect(server.rssMb() - before).toBeLessThan(64)
})

test('more streams at once than are taken: the rest is refused, the first are answered', THREE_TRIALS, async () => {
  const bad = await open()
  await whileServing(async () => {
    for (let i = 0; i < 1100; i++) await bad.send(headersFrame(2 * i + 1, CHECK_FIELDS))
    await until('streams above the limit are refused', () =>
      bad.frames.some(({ type }) => type === FRAME.RST_STREAM || type === FRAME.GOAWAY),
    )
  })
  expect(server.rssMb() - before).toBeLessThan(64)
})

test('a slow reader: who asks and never reads is no longer read from, and costs little', THREE_TRIALS, async () => {
  const bad = await open()
  bad.socket.pause()
  await whileServing(async () => {
    // windows as large as there are, so that nothing but the socket holds the answers back
    const windows = frame({ type: FRAME.SETTINGS, payload: Buffer.of(0, 4, 0x7f, 0xff, 0xff, 0xff) })
    await bad.send(Buffer.concat([windows, frame({ type: FRAME.WINDOW_UPDATE, payload: Buffer.of(0x7f, 0, 0, 0) })]))
    const message = checkMessage(server.key)
    let stuck = false
    for (let i = 0; i < 60 && !stuck; i++) {
      const calls = Array.from({ length: 1000 }, (_, k) => checkFrames(2 * (1000 * i + k) + 1, message))
      const sent = bad.send(Buffer.concat(calls)).then(() => 'sent')
      const waited = new Promise((resolve) => setTimeout(() => resolve('stuck'), 3000))
      stuck = (await Promise.race([sent, waited])) === 'stuck'
    }
  })
  expect(server.rssMb() - before).toBeLessThan(96)
  const { localPort = 0 } = bad.socket
  await until('its connection is closed', () => !isConnected(localPort, server.port), 60_000)
})

test(
  'what hangs is broken off: answers that have no window, and a connection that never says anything',
  THREE_TRIALS,
  async () => {
    const [bad, silent] = [await open(), connect(server.port, '127.0.0.1')]
    let ended = false
    silent.on('close', () => {
      ended = true
    })
    silent.on('error', () => undefined)
    silent.resume()
    await whileServing(async () => {
      await bad.send(frame({ type: FRAME.SETTINGS, payload: Buffer.of(0, 4, 0, 0, 0, 0) }))
      for (let i = 0; i < 500; i++) await bad.send(checkFrames(2 * i + 1, checkMessage(server.key)))
      await until(
        'the answers are',
        () => bad.closed() || bad.frames.some(({ type }) => type === FRAME.RST_STREAM),
        60_000,
      )
      await until('the connection is', () => ended, 60_000)
    })
    expect(server.rssMb() - before).toBeLessThan(64)
  },
)

test(
  'bodies that never end: no more than a few MiB are kept of them, and they are broken off',
  THREE_TRIALS,
  async () => {
    const bad = await open()
    await whileServing(async () => {
      const part = Buffer.alloc(16_000)
      for (let i = 0; i < 900 && !bad.closed(); i++) {
        const stream = 2 * i + 1
        await bad.send(headersFrame(stream, CHECK_FIELDS))
        await bad.send(frame({ type: FRAME.DATA, stream, payload: grpcFramed(Buffer.alloc(60_000)).subarray(0, 5) }))
        for (let k = 0; k < 3; k++) await bad.send(frame({ type: FRAME.DATA, stream, payload: part }))
      }
      await until('they are broken off', () => bad.closed() || bad.frames.some(({ type }) => type === FRAME.RST_STREAM))
    })
    expect(server.rssMb() - before).toBeLessThan(64)
  },
)

test('large headers: a stream is refused, and so is a message that is sent without an end', THREE_TRIALS, async () => {
  const bad = await open()
  await bad.send(frame({ type: FRAME.SETTINGS, flags: FLAG.ACK }))
  await bad.send(headersFrame(1, [...CHECK_FIELDS, ['x-large', 'a'.repeat(16_100)]]))
  expect((await bad.streamEnd(1))?.type).toBe(FRAME.RST_STREAM)
  const other = await open()
  await other.send(headersFrame(1, CHECK_FIELDS))
  await other.send(frame({ type: FRAME.DATA, stream: 1, payload: grpcFramed(Buffer.alloc(0xffffff)).subarray(0, 5) }))
  await whileServing(async () => {
    for (let i = 0; i < 500 && !other.closed(); i++) {
      await other.send(frame({ type: FRAME.DATA, stream: 1, payload: Buffer.alloc(16_000) }))
    }
  })
  expect(server.rssMb() - before).toBeLessThan(64)
})

test('a client that says GOAWAY still gets the answers that it waits for', THREE_TRIALS, async () => {
  const client = await open()
  await client.send(
    Buffer.concat([checkFrames(1, checkMessage(server.key)), frame({ type: FRAME.GOAWAY, payload: Buffer.alloc(8) })]),
  )
  const last = await client.streamEnd(1)
  expect([last?.type, last?.flags]).toEqual([FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM])
})

test('a hundred connections that do nothing cost little each', THREE_TRIALS, async () => {
  await Promise.all(Array.from({ length: 100 }, open))
  await whileServing(async () => undefined)
  expect((server.rssMb() - before) / 100).toBeLessThan(0.5)
})
