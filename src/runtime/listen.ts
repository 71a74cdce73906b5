/** A plain HTTP server: bounded waits, bounded heads, and an end in which nothing that was begun is lost. */
import { createServer, type RequestListener, Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server as AnyServer } from 'node:net'
import { Trouble } from '../core/trouble.ts'
import { boundConnections } from './connection-room.ts'
import { LeanMessage } from './lean-message.ts'
import type { ServerTls } from './tls.ts'
import { answerUnreadable, type Unreadable } from './unreadable.ts'
import { takeWaiting } from './waiting-connections.ts'

export type Listening = {
  readonly port: number
  /** Answers what is under way, takes nothing new, and is done after the deadline at the latest. */
  readonly stop: (deadlineMs: number) => Promise<void>
}

export type ListenAt = {
  readonly host: string
  readonly port: number
  /** Connections at once: who comes then takes the place of one that does nothing. Not bounded unless told. */
  readonly most?: number
  /** Answers what is no request. Node does, with a bare 400, unless told. */
  readonly unreadable?: Unreadable
}

/** Longer than the proxies that ask commonly keep a connection (60 s), so that they are the ones who close it. */
export const KEEP_ALIVE_S = 65

/** Header names and values together; a proxy's own headers come on top of the caller's 16 KiB. */
const MAX_HEAD_BYTES = 32 * 1024

const OPTIONS: ServerOptions<typeof LeanMessage> = {
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: KEEP_ALIVE_S * 1000,
  optimizeEmptyRequests: true,
  IncomingMessage: LeanMessage,
  // the check says what is wrong with a Host, in its own words
  requireHostHeader: false,
}

const HANDSHAKE_MS = 10_000
/** Where connections are few. */
const SHORT_HANDSHAKE_MS = 3000

/** Starts a server; a port that is taken is a Trouble that names it. */
export async function listen(handler: RequestListener, at: ListenAt, tls?: ServerTls): Promise<Listening> {
  let stopping = false
  const answer: RequestListener = (request, response) => {
    // whoever keeps its connection learns with its next answer that it is to be the last
    if (stopping) response.shouldKeepAlive = false
    handler(request, response)
  }
  const handshakeTimeout = at.most === undefined ? HANDSHAKE_MS : SHORT_HANDSHAKE_MS
  const server = tls === undefined ? createServer(OPTIONS, answer) : tlsServer(answer, tls, handshakeTimeout)
  // node drops what is above its default count without a word; the size is what bounds us
  server.maxHeadersCount = 0
  // close() would cut idle connections at once, and with them requests that are on their way
  server.closeIdleConnections = () => undefined
  if (at.most !== undefined) boundConnections(server, at.most, tls !== undefined)
  if (at.unreadable !== undefined) answerUnreadable(server, at.unreadable)
  await bind(server, at)
  return {
    port: (server.address() as AddressInfo).port,
    stop: async (deadlineMs) => {
      // before anybody is told to close: who comes back at once would be waiting when the listener closes
      await takeWaiting(server)
      stopping = true
      await stop(server, deadlineMs)
    },
  }
}

function tlsServer(handler: RequestListener<typeof LeanMessage>, tls: ServerTls, handshakeTimeout: number): Server {
  const server = createTlsServer({ ...OPTIONS, ...tls.options(), handshakeTimeout }, handler)
  tls.onChange((options) => server.setSecureContext(options))
  return server
}

/** Binds a server of any kind. */
export function bind(server: AnyServer, { host, port }: ListenAt): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      reject(
        new Trouble(
          cause.code === 'EADDRINUSE' ? `port_taken_${port}` : `cannot_listen_on_${host}_${port}`,
          'stop',
          cause.code === 'EADDRINUSE'
            ? new Error(`${cause.message}; --port-offset moves all ports up`, { cause })
            : cause,
        ),
      )
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

/** How long a connection may stay idle once its server stops. */
const STOP_IDLE_MS = 500

function stop(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => Server.prototype.closeIdleConnections.call(server), STOP_IDLE_MS)
    const late = setTimeout(() => server.closeAllConnections(), deadlineMs)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(late)
      resolve()
    })
  })
}
