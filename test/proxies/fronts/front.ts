/** A front: whatever stands between a caller and the upstream and asks Keyward, seen from outside. */
import type { Arrived, EchoUpstream } from '../../support/echo-upstream.ts'

export const FRONTS = [
  'keyward',
  'asked-as-envoy',
  'asked-as-nginx',
  'traefik',
  'envoy-grpc',
  'envoy-http',
  'nginx',
  'caddy',
  'haproxy',
] as const
export type FrontName = (typeof FRONTS)[number]

/** A request as its caller writes it; each string is latin-1, one byte per character. */
export type Sent = {
  readonly method: string
  readonly target: string
  readonly host: string
  /** Name, value, name, value … in this order, behind Host. */
  readonly headers: readonly string[]
  readonly body: string
}

export type Got = {
  /** 0: the connection ended without an answer. */
  readonly status: number
  /** Name, value, name, value … as received. */
  readonly headers: readonly string[]
  readonly body: string
  /** What the upstream logged meanwhile. */
  readonly seen: readonly Arrived[]
}

export type Front = {
  readonly name: FrontName
  /** One request at a time: whatever reaches the upstream meanwhile is taken for this one's. */
  readonly send: (request: Sent) => Promise<Got>
  readonly stop: () => Promise<void>
}

/** Where the things are that a front needs. */
export type Behind = {
  readonly upstream: EchoUpstream
  readonly proxyPort: number
  readonly checkPort: number
  readonly grpcPort: number
}

/** The request in bytes; a body brings its length, as clients do. */
export function bytesOf({ method, target, host, headers, body }: Sent): string {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`]
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  if (body !== '') lines.push(`Content-Length: ${body.length}`)
  return [...lines, '', body].join('\r\n')
}
