/** Where a caller is: the other end of the socket, or what proxies of one's own have said of it. */
import { parseAddress } from '../core/address.ts'

export type Caller = {
  /** undefined: it can not be told, so no address rule lets it in. */
  readonly address: string | undefined
  /** What the upstream is told: the caller, then the trusted hops behind it. */
  readonly forwardedFor: string
  readonly proto: 'http' | 'https'
}

export type Said = {
  /** The socket's own. */
  readonly peer: string
  readonly forwardedFor: readonly string[]
  readonly forwardedProto: string | undefined
}

/** @param trustedHops proxies of one's own in front: each adds the address that it saw, the peer is the last of them */
export function callerOf({ peer, forwardedFor, forwardedProto }: Said, trustedHops: number): Caller {
  const own = plain(peer)
  if (trustedHops === 0) return { address: own, forwardedFor: own, proto: 'http' }
  const proto = forwardedProto === 'https' ? 'https' : 'http'
  const trusted = forwardedFor
    .join(',')
    .split(',')
    .map((entry) => entry.trim())
    .slice(-trustedHops)
  if (trusted.length < trustedHops || trusted.some((entry) => parseAddress(entry) === undefined)) {
    return { address: undefined, forwardedFor: own, proto }
  }
  return { address: trusted[0], forwardedFor: [...trusted, own].join(', '), proto }
}

/** A socket that takes both families calls 203.0.113.9 ::ffff:203.0.113.9. */
const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address)
