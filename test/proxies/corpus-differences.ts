/** Cases of the corpus that end otherwise behind a proxy than they do behind our own, and are as safe: how, and why. */
import type { Seen } from '../corpus/upstream.ts'

export type Otherwise = {
  readonly status?: readonly number[]
  readonly upstream?: 'reached' | 'not-reached' | 'either'
  /** What the oracle objects to, and may. */
  readonly lets?: RegExp
  /** Nothing beyond status and upstream can be asked here. */
  readonly noMore?: true
  readonly why: string
}

const NAMED_KEY: Otherwise = {
  status: [200],
  why: 'the shipped configuration empties the list in Connection, so the key is looked at; it does not arrive',
}
const FOR_GRPC: Otherwise = {
  noMore: true,
  lets: /^te arrived$/i,
  why: '`TE: trailers` goes on to the API, since gRPC asks for it on every hop; it frames nothing',
}
const LOOPBACK: Otherwise = {
  noMore: true,
  why: 'Envoy tells an HTTP check its own address where the caller is on the same machine, and KEY_NEAR is for 127.0.0.0/8',
}
const NAMED_PLACE: Otherwise = { status: [400], upstream: 'not-reached', why: 'Envoy refuses such a list itself' }

/** By case and proxy. */
export const STANDS_BEHIND: Readonly<Record<string, Readonly<Record<string, Otherwise>>>> = {
  'HDR-connection-strip-key': { nginx: NAMED_KEY, caddy: NAMED_KEY, haproxy: NAMED_KEY },
  'HDR-connection-strip-xff': { 'envoy-grpc': NAMED_PLACE, 'envoy-http': NAMED_PLACE },
  'HDR-keepalive-hdr': { 'envoy-grpc': FOR_GRPC, 'envoy-http': FOR_GRPC, caddy: FOR_GRPC, haproxy: FOR_GRPC },
  'HDR-xreal-ip': { 'envoy-http': LOOPBACK },
  'HDR-xff-many': { 'envoy-http': LOOPBACK },
}

/** nginx leaves out identity headers that are empty: as good as empty, since the caller's own are gone. */
export function withEmptyOnes(seen: Seen, names: readonly string[]): Seen {
  const there = new Set(seen.headers.map(([name]) => name.toLowerCase()))
  const missing = names.filter((name) => !there.has(name)).map((name) => [name, ''] as const)
  return { ...seen, headers: [...seen.headers, ...missing] }
}
