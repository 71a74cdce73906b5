import { writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extAuthz } from '../../src/authz/ext-authz.ts'
import { serveGrpc } from '../../src/authz/grpc-serve.ts'
import type { Verdict } from '../../src/core/decide.ts'
import { deny } from '../../src/core/denial.ts'
import type { Check } from '../../src/enforce/check.ts'
import type { Listening } from '../../src/runtime/listen.ts'
import { awakeMs } from '../support/awake.ts'
import { decodeResponse, protoFile } from '../support/ext-authz-proto.ts'
import {
  CHECK_PATH,
  checkMessage,
  type GrpcClient,
  type GrpcServer,
  grpcClient,
  startGrpcServer,
} from '../support/grpc-server.ts'
import { CHECK_FIELDS, FLAG, FRAME, frame, frameClient, grpcFramed, headersFrame } from '../support/h2-frames.ts'
import { part } from '../support/parts.ts'
import { startProcess, temporaryFolder } from '../support/process.ts'
import { until } from '../support/until.ts'

const HEALTH = '/grpc.health.v1.Health'

let server: GrpcServer
let client: GrpcClient

beforeAll(async () => {
  server = await startGrpcServer()
  client = grpcClient(server.port)
})

afterAll(async () => {
  client.stop()
  expect(await server.stop()).toBe(0)
})

/** Runs a program to its end and gives what it wrote. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const running = startProcess(command, args)
  expect(await running.exited).toBe(0)
  return running.output()
}

describe('@grpc/grpc-js', () => {
  test('is let through with a key, and denied without one, by one connection and many calls at once', async () => {
    const allowed = Array.from({ length: 200 }, () => client.check(checkMessage(server.key)))
    const denied = Array.from({ length: 200 }, () => client.check(checkMessage('none')))
    for (const answered of await Promise.all(allowed)) expect(answered.status?.code).toBe(0)
    for (const answered of await Promise.all(denied)) {
      expect(answered).toMatchObject({ status: { code: 16 }, deniedResponse: { status: { code: 401 } } })
    }
  })

  test('gets a decision for a message of almost 64 KiB, and a denial for one that is longer', async () => {
    const long = (length: number) => checkMessage(server.key, { 'x-long': 'a'.repeat(length) })
    expect((await client.check(long(65_000))).okResponse).toBeDefined()
    expect(await client.check(long(66_000))).toMatchObject({
      status: { code: 3 },
      deniedResponse: { status: { code: 400 } },
    })
    expect(await client.check(long(3_000_000))).toMatchObject({ deniedResponse: { status: { code: 400 } } })
  })

  test('gets INVALID_ARGUMENT for random bytes, and never a yes', async () => {
    for (let i = 0; i < 50; i++) {
      const said = await client.call(CHECK_PATH, crypto.getRandomValues(new Uint8Array(1 + i * 7)))
      if (said instanceof Uint8Array) expect(decodeResponse(said).okResponse).toBeUndefined()
      else expect(said.code).toBe(3)
    }
  })

  test.each([
    '/envoy.service.auth.v3.Authorization/Chec',
    '/envoy.service.auth.v2.Authorization/Check',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  ])('gets UNIMPLEMENTED for %s', async (path) => {
    expect(await client.call(path, new Uint8Array())).toMatchObject({ code: 12 })
  })

  test('may cancel and run out of time without harm to other calls', async () => {
    const calls = Array.from({ length: 100 }, (_, i) => {
      const late = client.raw.makeUnaryRequest(
        CHECK_PATH,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer) => bytes,
        checkMessage(server.key),
        { deadline: new Date(Date.now() + (i % 3)) },
        () => undefined,
      )
      if (i % 2 === 0) late.cancel()
      return client.check(checkMessage(server.key))
    })
    for (const answered of await Promise.all(calls)) expect(answered.status?.code).toBe(0)
  })
})

describe('grpc.health.v1', () => {
  const asking = (service: string) => Buffer.concat([Buffer.of(0x0a, service.length), Buffer.from(service)])

  test.each([
    ['the server', ''],
    ['the service', 'envoy.service.auth.v3.Authorization'],
  ])('says that %s serves', async (_what, service) => {
    expect(await client.call(`${HEALTH}/Check`, asking(service))).toEqual(Buffer.of(0x08, 1))
  })

  test('knows no other service', async () => {
    expect(await client.call(`${HEALTH}/Check`, asking('other'))).toMatchObject({ code: 5 })
  })

  test('Watch says every change, and that a server stops', async () => {
    let serving = false
    const at = { host: '127.0.0.1', port: 0 }
    const own = await serveGrpc({ check: () => new Uint8Array(), serving: () => serving, tls: undefined }, at)
    const watcher = grpcClient(own.port)
    const seen: number[] = []
    let ended: number | undefined
    const stream = watcher.raw.makeServerStreamRequest(
      `${HEALTH}/Watch`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => bytes,
      new Uint8Array(),
    )
    stream.on('data', (bytes: Buffer) => seen.push(bytes[1] ?? 0))
    stream.on('error', ({ code }: { code?: number }) => {
      ended = code
    })
    await until('NOT_SERVING', () => seen.at(-1) === 2)
    serving = true
    await until('SERVING', () => seen.at(-1) === 1)
    await own.stop(3000)
    await until('the end', () => ended !== undefined)
    expect([seen, ended]).toEqual([[2, 1, 2], 14])
    watcher.stop()
  })

  test('of one connection sixteen may watch at a time', async () => {
    const watcher = grpcClient(server.port)
    const ended: (number | undefined)[] = []
    let told = 0
    const watch = () =>
      watcher.raw
        .makeServerStreamRequest(
          `${HEALTH}/Watch`,
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes: Buffer) => bytes,
          new Uint8Array(),
        )
        .on('data', () => told++)
        .on('error', ({ code }: { code?: number }) => ended.push(code))
    const first = watch()
    for (let i = 1; i < 16; i++) watch()
    await until('all of them are told', () => told === 16)
    watch()
    await until('one too many is refused', () => ended.length > 0)
    expect([told, ended]).toEqual([16, [8]])
    first.cancel()
    await until('there is room again', () => ended.length === 2)
    watch()
    await until('the next one is told', () => told === 17)
    watcher.stop()
  })
})

test('grpc-go, by ghz: a thousand checks over several connections, each answered', async () => {
  const folder = temporaryFolder()
  const data = `${folder}/check.bin`
  writeFileSync(data, checkMessage(server.key))
  const proto = protoFile('ext_authz')
  const output = await run(part('ghz'), [
    ...['--insecure', '--proto', proto, '--call', 'envoy.service.auth.v3.Authorization.Check', '-B', data],
    ...['-n', '1000', '-c', '20', '--connections', '4', '-O', 'json', `127.0.0.1:${server.port}`],
  ])
  expect(JSON.parse(output)).toMatchObject({ count: 1000, statusCodeDistribution: { OK: 1000 } })
})

test('h2load: 64 calls at a time on each of two connections, each answered', async () => {
  const folder = temporaryFolder()
  const data = `${folder}/check.bin`
  writeFileSync(data, grpcFramed(checkMessage(server.key)))
  const output = await run(part('h2load'), [
    ...['-n', '5000', '-c', '2', '-m', '64', '-d', data, '-H', 'content-type: application/grpc', '-H', 'te: trailers'],
    `http://127.0.0.1:${server.port}${CHECK_PATH}`,
  ])
  expect(output).toContain('5000 succeeded, 0 failed, 0 errored, 0 timeout')
})

describe('a call that is none', () => {
  const plain = async (
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
  ): Promise<Record<string, unknown>> => {
    const session = connect(`http://127.0.0.1:${server.port}`)
    const fields = { ':method': 'POST', ':path': CHECK_PATH, 'content-type': 'application/grpc', ...headers }
    const stream = session.request(fields, { endStream: false })
    const answered: Record<string, unknown> = {}
    stream.on('response', (head) => Object.assign(answered, head))
    stream.on('trailers', (trailers) => Object.assign(answered, trailers))
    stream.end(body)
    stream.resume()
    await new Promise((resolve) => stream.on('close', resolve))
    session.close()
    return answered
  }

  test.each([
    ['another method', { ':method': 'GET' }, 405],
    ['another content type', { 'content-type': 'application/json' }, 415],
    ['gRPC-Web', { 'content-type': 'application/grpc-web' }, 415],
  ])('is refused by HTTP: %s', async (_what, headers, status) => {
    expect(await plain(headers, new Uint8Array())).toMatchObject({ ':status': status })
  })

  test('is unimplemented where its message is compressed, whatever is in it', async () => {
    const message = checkMessage(server.key)
    expect(await plain({ 'grpc-encoding': 'gzip' }, grpcFramed(message, 1))).toMatchObject({
      'grpc-status': '12',
      'grpc-accept-encoding': 'identity',
    })
  })

  test.each([
    ['no message', Buffer.alloc(0)],
    ['a message that is cut off', grpcFramed(Buffer.alloc(10)).subarray(0, 12)],
    ['two messages', Buffer.concat([grpcFramed(Buffer.alloc(0)), grpcFramed(Buffer.alloc(0))])],
  ])('is unimplemented with %s', async (_what, body) => {
    expect(await plain({}, body)).toMatchObject({ 'grpc-status': '12' })
  })

  test('with parameters behind its content type is one', async () => {
    const headers = { 'content-type': 'application/grpc+proto' }
    expect(await plain(headers, grpcFramed(checkMessage(server.key)))).toMatchObject({ 'grpc-status': '0' })
  })
})

test('a message that comes byte by byte is put together', async () => {
  const raw = await frameClient(server.port)
  const message = grpcFramed(checkMessage(server.key))
  await raw.send(headersFrame(1, CHECK_FIELDS))
  for (let i = 0; i < message.length; i++) {
    const flags = i === message.length - 1 ? FLAG.END_STREAM : 0
    await raw.send(frame({ type: FRAME.DATA, flags, stream: 1, payload: message.subarray(i, i + 1) }))
  }
  const data = await raw.one('the answer', ({ type }) => type === FRAME.DATA)
  expect(decodeResponse(data.payload.subarray(5)).okResponse).toBeDefined()
  raw.stop()
})

test('PING is answered', async () => {
  const raw = await frameClient(server.port)
  await raw.send(frame({ type: FRAME.PING, payload: Buffer.from('12345678') }))
  const { payload } = await raw.one('the PING', ({ type, flags }) => type === FRAME.PING && flags === FLAG.ACK)
  expect(payload.toString()).toBe('12345678')
  raw.stop()
})

describe('the end', () => {
  const ALLOWED: Verdict = {
    kind: 'allow',
    record: undefined,
    match: undefined,
    upstream: [],
    narrowing: undefined,
    caller: [],
  }
  const serve = (check: Check): Promise<Listening> =>
    serveGrpc(
      { check: extAuthz({ check, newRequestId: () => 'drawn-id' }), serving: () => true, tls: undefined },
      { host: '127.0.0.1', port: 0 },
    )

  test('answers what is under way and what is still on its way, says GOAWAY, and does not wait for the idle', async () => {
    const waiting: ((verdict: Verdict) => void)[] = []
    const own = await serve(() => new Promise((resolve) => waiting.push(resolve)))
    const [idle, busy, raw] = [grpcClient(own.port), grpcClient(own.port), await frameClient(own.port)]
    await idle.call('/none', new Uint8Array())
    const underWay = busy.check(checkMessage('x'))
    await until('the check is asked', () => waiting.length === 1)
    const stopped = own.stop(5000)
    await raw.send(headersFrame(1, CHECK_FIELDS))
    const data = grpcFramed(checkMessage('x'))
    await raw.send(frame({ type: FRAME.DATA, flags: FLAG.END_STREAM, stream: 1, payload: data }))
    await until('the late check is asked', () => waiting.length === 2)
    for (const answer of waiting) answer(ALLOWED)
    expect((await underWay).status?.code).toBe(0)
    await raw.one('the late answer', ({ type }) => type === FRAME.DATA)
    const { payload } = await raw.one('GOAWAY', ({ type }) => type === FRAME.GOAWAY)
    expect([payload.readUInt32BE(0), payload.readUInt32BE(4)]).toEqual([1, 0])
    const begun = awakeMs()
    await stopped
    expect(awakeMs() - begun).toBeLessThan(3000)
    idle.stop()
    busy.stop()
  })

  test('comes at the deadline, whatever is still open', async () => {
    const own = await serve(() => new Promise(() => undefined))
    const stuck = grpcClient(own.port)
    const lost = stuck.call(CHECK_PATH, checkMessage('x'))
    await until('connected', () => stuck.raw.getChannel().getConnectivityState(false) === 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const begun = awakeMs()
    await own.stop(1000)
    expect(awakeMs() - begun).toBeLessThan(3000)
    stuck.stop()
    expect(await lost).toMatchObject({ code: expect.any(Number) })
  })

  test('of a caller drops its answer', async () => {
    const waiting: ((verdict: Verdict) => void)[] = []
    const own = await serve(() => new Promise((resolve) => waiting.push(resolve)))
    const raw = await frameClient(own.port)
    await raw.send(headersFrame(1, CHECK_FIELDS))
    const data = grpcFramed(checkMessage('x'))
    await raw.send(frame({ type: FRAME.DATA, flags: FLAG.END_STREAM, stream: 1, payload: data }))
    await until('the check is asked', () => waiting.length === 1)
    await raw.send(frame({ type: FRAME.RST_STREAM, stream: 1, payload: Buffer.of(0, 0, 0, 8) }))
    await raw.send(frame({ type: FRAME.PING, payload: Buffer.alloc(8) }))
    await raw.one('the PING', ({ type }) => type === FRAME.PING)
    for (const answer of waiting) answer({ ...deny('unavailable', ''), caller: [] })
    await raw.send(frame({ type: FRAME.PING, payload: Buffer.alloc(8, 1) }))
    await raw.one('the other PING', ({ type, payload }) => type === FRAME.PING && payload[0] === 1)
    expect(raw.frames.filter(({ stream }) => stream === 1)).toEqual([])
    raw.stop()
    await own.stop(1000)
  })
})
