/** Connections to the API server, HTTP/1.1 and kept open; new ones are made as soon as the credentials say so. */
import { createHash } from 'node:crypto'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { Access, Tls } from './access.ts'

export type Connection = {
  readonly dispatcher: Dispatcher
  readonly origin: string
  /** What the server's address has before every path. */
  readonly prefix: string
  readonly headers: Readonly<Record<string, string | string[]>>
}

export type Connections = {
  /** @param fresh the credentials that we had were refused */
  readonly take: (fresh: boolean) => Promise<Connection>
  /** What is open and idle now is not used again: one of them has turned out to be dead. */
  readonly distrust: () => void
  readonly close: () => Promise<void>
}

const CONNECT_MS = 5000
/** Shorter than any server or balancer keeps an idle connection: what is sent on one that just closed is lost. */
const IDLE_MS = 10_000

/** @param most how many at once; what is more waits for its turn */
export function makeConnections(access: Access, most: number): Connections {
  const url = new URL(access.server)
  const prefix = url.pathname.replace(/\/+$/, '')
  let current: { readonly dispatcher: Dispatcher; readonly identity: string } | undefined

  const open = (tls: Tls): Dispatcher => {
    const common = { connections: most, pipelining: 1, allowH2: false, keepAliveTimeout: IDLE_MS, maxResponseSize: -1 }
    // the time of requests is limited by whoever makes them, all of it in one
    const limits = { headersTimeout: 0, bodyTimeout: 0 }
    const connect = { ...given(tls), timeout: CONNECT_MS, keepAlive: true }
    if (access.proxy === undefined) return new Pool(url.origin, { ...common, ...limits, connect })
    return new ProxyAgent({ ...common, ...limits, uri: access.proxy, requestTls: connect, proxyTunnel: true })
  }

  const take = async (fresh: boolean): Promise<Connection> => {
    const { headers, tls } = await access.credentials(fresh)
    const identity = identityOf(tls)
    if (current?.identity !== identity) {
      distrust()
      current = { dispatcher: open(tls), identity }
    }
    return { dispatcher: current.dispatcher, origin: url.origin, prefix, headers }
  }

  const distrust = (): void => {
    // what is under way there comes to its end
    current?.dispatcher.close().catch(() => {})
    current = undefined
  }

  const close = async (): Promise<void> => {
    await current?.dispatcher.destroy()
  }

  return { take, distrust, close }
}

const given = (tls: Tls): Tls => Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined))

/** Changes with what connections are made with. Not kept as it is: a private key is in it. */
function identityOf({ ca, cert, key, servername, rejectUnauthorized }: Tls): string {
  const hash = createHash('sha256')
  for (const part of [ca, cert, key, servername, String(rejectUnauthorized)]) {
    hash.update(`${part?.length ?? -1}:`).update(part ?? '')
  }
  return hash.digest('base64')
}
