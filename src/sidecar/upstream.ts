/** The pool of connections to the upstream, and what its errors mean. */
import type { Socket } from 'node:net'
import { buildConnector, Pool } from 'undici'
import type { AnswerKind } from './answers.ts'
import type { ProxyLimits } from './limits.ts'

export type Upstream = {
  readonly pool: Pool
  /** Whether an error came of a connection that had answered before: the upstream may just have closed it for age. */
  readonly wasReused: (error: unknown) => boolean
}

/** Node closes idle connections after 5 s, others later: below that, whoever says nothing is rarely met while closing. */
const KEEP_ALIVE_MS = 4_000

/** @param url an origin: scheme, host and port */
export function makeUpstream(url: URL, limits: ProxyLimits): Upstream {
  const reused = new WeakSet<object>()
  const connect = buildConnector({ timeout: limits.connectMs, allowH2: false })
  const pool = new Pool(url.origin, {
    allowH2: false,
    pipelining: 1,
    headersTimeout: limits.firstByteMs,
    bodyTimeout: limits.upstreamIdleMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: 10 * 60_000,
    maxHeaderSize: limits.responseHeadBytes,
    connect: (options, callback) =>
      connect(options, (...[error, socket]) => {
        if (error !== null) {
          callback(error, null)
          return
        }
        noteReuse(socket, reused)
        callback(null, socket)
      }),
  })
  return { pool, wasReused: (error) => typeof error === 'object' && error !== null && reused.has(error) }
}

// undici does not tell which connection a request was sent on; an error that a socket ends with names both
function noteReuse(socket: Socket, reused: WeakSet<object>): void {
  socket.on('error', (error) => {
    if (socket.bytesRead > 0) reused.add(error)
  })
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])

/** What the caller is told of an error before any of the upstream's answer was passed on. */
export const kindOf = (error: unknown): AnswerKind =>
  TIMEOUTS.has(codeOf(error)) ? 'upstream_timeout' : 'upstream_unavailable'

/** For the log: what went wrong by its code, without any of the bytes. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.constructor.name
}
