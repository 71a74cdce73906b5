/** The real proxy on a real socket in front of an upstream, over a tiny index that the test may change while it runs. */
import type { Verdict } from '../../src/core/decide.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import type { RouteSpec } from '../../src/core/route.ts'
import { makeCheck } from '../../src/enforce/check.ts'
import { localLimiter } from '../../src/enforce/local-limiter.ts'
import type { ProxyLimits } from '../../src/sidecar/limits.ts'
import { createProxy, type ProxyParts, type ReverseProxy } from '../../src/sidecar/proxy.ts'
import { type TinyIndex, tinyIndex } from './tiny-index.ts'

export type Proxied = TinyIndex & {
  readonly port: number
  readonly proxy: ReverseProxy
  /** A good key. */
  readonly key: string
  readonly asked: CheckRequest[]
  readonly noted: { readonly kind: string; readonly requestId: string; readonly why: string }[]
}

export type ProxiedOptions = {
  readonly limits?: Partial<ProxyLimits>
  readonly trustedHops?: number
  readonly routes?: readonly RouteSpec[]
  /** Between the index and the proxy. */
  readonly check?: (request: CheckRequest, answer: () => Verdict | Promise<Verdict>) => Verdict | Promise<Verdict>
}

const nowUs = () => Date.now() * 1000

export async function startProxied(
  upstream: URL,
  { limits, trustedHops = 0, routes, check }: ProxiedOptions = {},
): Promise<Proxied> {
  const tiny = tinyIndex(routes)
  const asked: CheckRequest[] = []
  const noted: { kind: string; requestId: string; why: string }[] = []
  const real = makeCheck({
    index: () => tiny.index,
    limiter: localLimiter(nowUs),
    nowUs,
    note: (request) => void asked.push(request),
  })
  const recheck = makeCheck({
    index: () => tiny.index,
    limiter: { spend: () => ({ ok: true, left: [] }) },
    nowUs,
    note: () => undefined,
  })
  let ids = 0
  const parts: ProxyParts = {
    check: check === undefined ? real : (request) => check(request, () => real(request)),
    recheck,
    upstream,
    requestId: () => `made-${++ids}`,
    trustedHops,
    limits,
    note: (kind, requestId, why) => void noted.push({ kind, requestId, why }),
  }
  const proxy = createProxy(parts)
  const port = await proxy.listen({ host: '127.0.0.1', port: 0 })
  return { ...tiny, port, proxy, key: tiny.put('good'), asked, noted }
}

/** A request in bytes, with the Host and, where it is given, a key. */
export function requestBytes(line: string, headers: readonly string[] = [], body = ''): string {
  return [`${line} HTTP/1.1`, 'Host: api.test', ...headers, '', body].join('\r\n')
}
