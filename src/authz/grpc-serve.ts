/** gRPC over node:http2. The only file that knows node:http2, so that what carries the calls can be replaced. */
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import { bind, type ListenAt, type Listening } from '../runtime/listen.ts'
import { type Placed, Places } from '../runtime/places.ts'
import type { ServerTls } from '../runtime/tls.ts'
import { takeWaiting } from '../runtime/waiting-connections.ts'
import {
  HANDSHAKE_MS,
  LINGER_MS,
  LOOK_EVERY_MS,
  MAX_CONNECTIONS,
  MAX_HELD_BYTES,
  MAX_NOISE,
  MAX_WATCHES,
  OPTIONS,
  WATCH_EVERY_MS,
} from './grpc-bounds.ts'
import { lookAround } from './grpc-look.ts'
import { framed, MessageCollector } from './grpc-message.ts'
import { type Failure, type GrpcParts, isFailure, type Method, methodsOf, STATUS } from './grpc-methods.ts'

export type GrpcServerParts = GrpcParts & { readonly tls: ServerTls | undefined }

const GRPC = 'application/grpc'
// as a list, which node need not take apart
const HEAD = [':status', '200', 'content-type', GRPC]
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false }
const WHOLE = { endStream: true, sendDate: false }
const OK = { 'grpc-status': '0' }

const NO_METHOD: Failure = { status: STATUS.unimplemented, why: 'no such method' }
const NOTHING: Method = { kind: 'unary', call: () => NO_METHOD }
const NOT_ONE: Failure = { status: STATUS.unimplemented, why: 'not exactly one whole message' }
const COMPRESSED: Failure = { status: STATUS.unimplemented, why: 'compressed messages are not read' }
const FAILED: Failure = { status: STATUS.internal, why: 'the call failed' }
const TOO_MANY_WATCHES: Failure = { status: STATUS.resourceExhausted, why: 'too many watches on one connection' }

type Call = Placed & {
  readonly stream: ServerHttp2Stream
  readonly connection: Connection
  readonly method: Method
  readonly collector: MessageCollector
  looks: number
}

type Connection = {
  readonly session: ServerHttp2Session
  readonly socket: Socket | undefined
  readonly calls: Places<Call>
  readonly watches: Set<ServerHttp2Stream>
  held: number
  noise: number
  looks: number
  greeted: boolean
  /** It answered the last PING. */
  heard: boolean
}

export async function serveGrpc(parts: GrpcServerParts, at: ListenAt): Promise<Listening> {
  const server = serverOf(parts.tls)
  let stopping = false
  const methods = methodsOf({ check: parts.check, serving: () => !stopping && parts.serving() })
  const connections = new Map<ServerHttp2Session, Connection>()
  server.maxConnections = MAX_CONNECTIONS
  const sockets = socketsOf(server)
  server.on('session', (session) => {
    const connection = connectionOf(session, sockets.latest())
    connections.set(session, connection)
    session.on('close', () => connections.delete(session))
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', ignore)
    const connection = stream.session === undefined ? undefined : connections.get(stream.session as ServerHttp2Session)
    if (connection === undefined) stream.close(constants.NGHTTP2_REFUSED_STREAM)
    else begin(stream, headers, { connection, methods })
  })
  await bind(server, at)
  const look = setInterval(() => lookAround(connections.values()), LOOK_EVERY_MS).unref()
  return {
    port: (server.address() as AddressInfo).port,
    stop: async (deadlineMs) => {
      await takeWaiting(server)
      stopping = true
      await stop(server, { connections, sockets: sockets.all }, deadlineMs)
      clearInterval(look)
    },
  }
}

/** Whatever ends a stream before its time has nobody left to be told of it. */
const ignore = () => undefined

function serverOf(tls: ServerTls | undefined): Http2Server | Http2SecureServer {
  if (tls === undefined) return createServer(OPTIONS)
  const server = createSecureServer({ ...OPTIONS, ...tls.options(), handshakeTimeout: HANDSHAKE_MS })
  tls.onChange((options) => server.setSecureContext(options))
  return server
}

type Sockets = { readonly all: ReadonlySet<Socket>; readonly latest: () => Socket | undefined }

/**
 * A session does not give its socket away, and its own destroy() waits for writes that a peer who does not read never lets
 * end. Sessions begin while their connection is announced, so the latest one is theirs.
 */
function socketsOf(server: Http2Server | Http2SecureServer): Sockets {
  const all = new Set<Socket>()
  let latest: Socket | undefined
  const take = (socket: Socket) => {
    latest = socket
    all.add(socket)
    socket.once('close', () => all.delete(socket))
  }
  server.prependListener('connection', take)
  server.prependListener('secureConnection', take)
  return { all, latest: () => latest }
}

function connectionOf(session: ServerHttp2Session, socket: Socket | undefined): Connection {
  const connection: Connection = {
    session,
    socket,
    calls: new Places(),
    watches: new Set(),
    held: 0,
    noise: 0,
    looks: 0,
    greeted: false,
    heard: true,
  }
  const noise = () => {
    if (++connection.noise === MAX_NOISE) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
  session.on('remoteSettings', () => {
    connection.greeted = true
    noise()
  })
  session.on('ping', noise)
  session.on('error', () => undefined)
  return connection
}

/** Where a stream keeps its call: listeners are then the same functions for all of them, made once. */
const CALL = Symbol('call')
type Carrying = ServerHttp2Stream & { [CALL]?: Call }

function begin(stream: Carrying, headers: IncomingHttpHeaders, { connection, methods }: Setting): void {
  const status = httpRefusal(headers)
  const method = methods.get(headers[':path'] ?? '') ?? NOTHING
  const call: Call = { stream, connection, method, collector: new MessageCollector(), looks: 0, place: -1 }
  stream[CALL] = call
  connection.calls.add(call)
  connection.noise = 0
  stream.on('close', onClose)
  if (status !== undefined || method === NOTHING) {
    if (status !== undefined) stream.respond([':status', String(status)], WHOLE)
    else fail(stream, NO_METHOD)
    // what is not read would keep the call
    stream.resume()
    return
  }
  stream.on('end', onEnd)
  stream.on('data', onData)
}

type Setting = { readonly connection: Connection; readonly methods: ReadonlyMap<string, Method> }

function onClose(this: Carrying): void {
  const call = this[CALL]
  if (call === undefined) return
  call.connection.calls.remove(call)
  call.connection.held -= call.collector.held
}

function onData(this: Carrying, chunk: Buffer): void {
  const call = this[CALL]
  if (call === undefined) return
  const { connection, collector } = call
  const before = collector.held
  collector.take(chunk)
  connection.held += collector.held - before
  if (connection.held > MAX_HELD_BYTES) this.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
}

function onEnd(this: Carrying): void {
  const call = this[CALL]
  if (call === undefined || !isOpen(this)) return
  const collected = call.collector.end()
  if (collected.kind === 'compressed') fail(this, COMPRESSED)
  else if (collected.kind === 'notOne') fail(this, NOT_ONE)
  else if (call.method.kind === 'unary') answer(this, call.method.call(collected.message))
  else startWatch(call, call.method.watch(collected.message))
}

/** Before gRPC there is HTTP: the status of a request that is no call. */
function httpRefusal(headers: IncomingHttpHeaders): number | undefined {
  if (headers[':method'] !== 'POST') return 405
  const type = headers['content-type'] ?? ''
  return type === GRPC || type === 'application/grpc+proto' || type.startsWith('application/grpc;') ? undefined : 415
}

const isOpen = (stream: ServerHttp2Stream): boolean => !stream.destroyed && !stream.closed

type Answer = Uint8Array | Failure

function answer(stream: ServerHttp2Stream, given: Answer | Promise<Answer>): void {
  if (!(given instanceof Promise)) finish(stream, given)
  else given.then((late) => finish(stream, late)).catch(() => fail(stream, FAILED))
}

/** Who has gone away meanwhile gets nothing. */
function finish(stream: ServerHttp2Stream, given: Answer): void {
  if (!isOpen(stream)) return
  if (isFailure(given)) {
    fail(stream, given)
    return
  }
  stream.respond(HEAD, WITH_TRAILERS)
  stream.on('wantTrailers', sendOk)
  stream.end(framed(given))
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(OK)
}

/** A gRPC answer of trailers alone. */
function fail(stream: ServerHttp2Stream, { status, why }: Failure): void {
  if (!isOpen(stream) || stream.headersSent) return
  stream.respond(
    [...HEAD, 'grpc-status', String(status), 'grpc-message', why, 'grpc-accept-encoding', 'identity'],
    WHOLE,
  )
}

function startWatch(call: Call, status: (() => Uint8Array) | Failure): void {
  const { stream, connection } = call
  if (typeof status !== 'function') {
    fail(stream, status)
    return
  }
  if (connection.watches.size >= MAX_WATCHES) {
    fail(stream, TOO_MANY_WATCHES)
    return
  }
  // it is meant to hang
  connection.calls.remove(call)
  let last = status()
  const look = setInterval(() => {
    const now = status()
    if (Buffer.compare(now, last) !== 0) stream.write(framed(now))
    last = now
  }, WATCH_EVERY_MS)
  connection.watches.add(stream)
  stream.on('close', () => {
    clearInterval(look)
    connection.watches.delete(stream)
  })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(STATUS.unavailable) }))
  stream.respond(HEAD, WITH_TRAILERS)
  stream.write(framed(last))
}

type Open = {
  readonly connections: ReadonlyMap<ServerHttp2Session, Connection>
  readonly sockets: ReadonlySet<Socket>
}

async function stop(server: Http2Server | Http2SecureServer, open: Open, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    // not the server's own close(), which would refuse at once what is on its way
    NetServer.prototype.close.call(server, () => resolve())
  })
  const gently = () => {
    for (const connection of open.connections.values()) endGently(connection)
  }
  const atOnce = () => {
    for (const socket of open.sockets) socket.destroy()
  }
  const linger = setTimeout(gently, Math.min(LINGER_MS, deadlineMs))
  const late = setTimeout(atOnce, deadlineMs)
  await closed
  clearTimeout(linger)
  clearTimeout(late)
}

function endGently({ session, watches }: Connection): void {
  for (const stream of watches) stream.end()
  session.close()
}
