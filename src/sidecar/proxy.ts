/** The reverse proxy in front of one upstream: node's server outside, undici inside, the one check between them. */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Check } from '../enforce/check.ts'
import { youngCollector } from '../runtime/collector.ts'
import { LeanMessage } from '../runtime/lean-message.ts'
import { bind, type ListenAt } from '../runtime/listen.ts'
import { takeWaiting } from '../runtime/waiting-connections.ts'
import { keep } from './handed-over.ts'
import { DEFAULT_LIMITS, keepAliveOf, type ProxyLimits } from './limits.ts'
import { refuseConnection } from './refuse-connection.ts'
import { type Arrival, type Serving, serve } from './serve.ts'
import type { Noted } from './shared.ts'
import { stopServer } from './stop.ts'
import type { Tunnel } from './tunnel.ts'
import { makeTurns } from './turns.ts'
import { upgradeOf } from './upgrade.ts'
import { makeUpstream } from './upstream.ts'
import { makeWatch } from './watch.ts'

export type ProxyParts = {
  readonly check: Check
  /** The same question, which spends nothing: asked again while a request is under way or a tunnel is open. */
  readonly recheck: Check
  /** Scheme, host and port. */
  readonly upstream: URL
  readonly requestId: () => string
  /** Proxies of one's own in front, whose X-Forwarded-For entries are believed. */
  readonly trustedHops: number
  readonly limits?: Partial<ProxyLimits> | undefined
  /** What the proxy had to say for itself, or could not say any more; `why` is for the log. */
  readonly note: (kind: Noted, requestId: string, why: string) => void
}

export type ReverseProxy = {
  /** Gives the port. */
  readonly listen: (at: ListenAt) => Promise<number>
  /** Answers what is under way, takes nothing new, and is done after the deadline at the latest. */
  readonly stop: (deadlineMs: number) => Promise<void>
  /** Asks about everything that is under way: after a change that may have taken something away. */
  readonly recheckNow: () => void
  /** Tunnels that are open now. */
  readonly tunnels: () => number
}

export function createProxy(parts: ProxyParts): ReverseProxy {
  const limits: ProxyLimits = { ...DEFAULT_LIMITS, ...parts.limits }
  const upstream = makeUpstream(parts.upstream, limits)
  const watch = makeWatch(parts.recheck, limits.recheckMs)
  const state = { draining: false }
  const tunnels = { count: 0 }
  const serving: Serving = {
    check: parts.check,
    newRequestId: parts.requestId,
    trustedHops: parts.trustedHops,
    note: parts.note,
    limits,
    keepAlive: keepAliveOf(limits),
    upstream,
    watch,
    tunnels,
    passed: passing(limits.collectBytes),
    draining: () => state.draining,
    turns: makeTurns(limits.pipelined),
  }
  const { server, sockets } = makeServer(serving)
  return {
    listen: async (at) => {
      await bind(server, at)
      return (server.address() as AddressInfo).port
    },
    stop: async (deadlineMs) => {
      // before anybody is told to close: who comes back at once would be waiting when the listener closes
      await takeWaiting(server)
      state.draining = true
      await stopServer(
        {
          server,
          sockets,
          turns: serving.turns,
          idleMs: limits.stopIdleMs,
          onIdle: () => watch.cutEndless('stopping'),
        },
        deadlineMs,
      )
      await upstream.pool.destroy()
    },
    recheckNow: watch.now,
    tunnels: () => tunnels.count,
  }
}

/** Buffers that have passed are dead, but V8 would let more of them pile up than a small container has room for. */
function passing(collectBytes: number): (bytes: number) => void {
  const collect = youngCollector()
  let left = collectBytes
  return (bytes) => {
    left -= bytes
    if (left > 0) return
    left = collectBytes
    collect()
  }
}

function makeServer(serving: Serving): { readonly server: Server; readonly sockets: ReadonlySet<Socket> } {
  const { limits, turns } = serving
  const server = createServer({
    IncomingMessage: LeanMessage,
    maxHeaderSize: limits.headBytes,
    headersTimeout: limits.headMs,
    // a body may take as long as it keeps coming
    requestTimeout: 0,
    // one clock for a connection, whatever it waits for: node would start and stop a second one around each request
    keepAliveTimeout: 0,
    connectionsCheckingInterval: Math.min(1_000, limits.headMs),
    // the check says what is wrong with a Host, in its own words
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    // whatever is no tunnel goes on as the ordinary request that it also is
    shouldUpgradeCallback: (request) => upgradeOf(request) !== undefined,
  })
  // node drops what is above its default count without a word: they are counted here instead
  server.maxHeadersCount = 0
  server.maxConnections = limits.connections
  server.timeout = limits.callerIdleMs
  // stopping closes idle connections when their callers have had time to see that it does
  server.closeIdleConnections = () => undefined
  const sockets = new Set<Socket>()
  // node takes it off the socket at an upgrade, and there is no other way to it then
  const onDrain = new WeakMap<Socket, () => void>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const [own] = socket.listeners('drain')
    if (own !== undefined) onDrain.set(socket, own as () => void)
  })
  const idle = (socket: Socket) => {
    const busy = turns.at(socket)
    if (busy === undefined) socket.destroy()
    else if (busy.current !== undefined) busy.current.idle()
    // an answer of our own that is not read
    else if (busy.response.writableEnded) socket.destroy()
  }

  const take = (arrival: Arrival, prepare: () => void) => {
    const { socket } = arrival.request
    const taken = turns.take(socket, arrival.response, () => {
      // behind an answer that closes the connection nothing more is done (RFC 9112 §9.6)
      if (socket.destroyed || !socket.writable) return
      arrival.response.on('close', () => {
        turns.at(socket)?.current?.abandon()
        turns.done(socket)
      })
      prepare()
      serve(serving, arrival)
    })
    if (!taken) socket.destroy()
  }
  const ordinary = (expects: Arrival['expects']) => (request: IncomingMessage, response: ServerResponse) =>
    take({ request, response, expects, last: false, tunnel: undefined }, () => undefined)
  const last = (request: IncomingMessage, duplex: Duplex, early: Buffer) => {
    const socket = duplex as Socket
    const protocol = request.method === 'CONNECT' ? undefined : upgradeOf(request)
    const connection = keep(socket, early, { onDrain: onDrain.get(socket), onTimeout: () => idle(socket) })
    const tunnel: Tunnel | undefined = protocol === undefined ? undefined : { protocol, connection }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    take({ request, response, expects: 'nothing', last: true, tunnel }, () => connection.answerWith(response))
  }
  server.on('request', ordinary('nothing'))
  server.on('checkContinue', ordinary('continue'))
  server.on('checkExpectation', ordinary('other'))
  server.on('upgrade', last)
  server.on('connect', last)
  server.on('clientError', refuseConnection(serving))
  server.on('timeout', idle)
  return { server, sockets }
}
