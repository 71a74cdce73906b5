/** Every proxy that tests run, on its shipped configuration, and what a caller sees of a refusal. */
import type { Answer } from '../support/ask.ts'
import { startCaddy } from '../support/caddy.ts'
import { startEnvoyGrpc, startEnvoyHttp } from '../support/envoy.ts'
import { startHaproxy } from '../support/haproxy.ts'
import { startNginx } from '../support/nginx.ts'
import type { ShippedOptions, ShippedProxy } from '../support/shipped.ts'

export const PROXIES = ['Envoy over gRPC', 'Envoy over HTTP', 'nginx', 'Caddy', 'HAProxy'] as const
export type ProxyName = (typeof PROXIES)[number]

const START: Readonly<Record<ProxyName, (options: ShippedOptions) => Promise<ShippedProxy>>> = {
  'Envoy over gRPC': startEnvoyGrpc,
  'Envoy over HTTP': startEnvoyHttp,
  nginx: startNginx,
  Caddy: startCaddy,
  HAProxy: startHaproxy,
}

export async function startAll(options: ShippedOptions): Promise<ReadonlyMap<ProxyName, ShippedProxy>> {
  return new Map(await Promise.all(PROXIES.map(async (name) => [name, await START[name](options)] as const)))
}

export type Seen = { readonly status: number; readonly type: string | undefined; readonly body: string }

/** The answer without the request ID, which must be the same in header and body. */
export function seenOf({ status, headers, text }: Answer): Seen {
  const id = String(headers['x-request-id'])
  return { status, type: headers['content-type'], body: text.replaceAll(id, 'the request ID') }
}

export const UNAVAILABLE: Seen = {
  status: 503,
  type: 'application/problem+json',
  body: `{"type":"about:blank","title":"Not available","status":503,"detail":"The check can't be answered at the moment.","code":"unavailable","requestId":"the request ID"}`,
}
