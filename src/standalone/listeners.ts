/** The ports of standalone: those of a check, and the reverse proxy beside them. */
import {
  type Listeners as CheckListeners,
  type ListenersParts,
  makeListeners as makeChecks,
} from '../authz/listeners.ts'
import { type Limiter, makeCheck } from '../enforce/check.ts'
import { nowUs, uuid } from '../runtime/system.ts'
import { createProxy } from '../sidecar/proxy.ts'
import { PORTS, type StandaloneConfig } from './config.ts'

export type ListenerParts = Omit<ListenersParts, 'beside'> & { readonly config: StandaloneConfig }

export type Listeners = CheckListeners & {
  /** Asks about everything that stays open: after a change that may have taken something away. */
  readonly recheckNow: () => void
  readonly tunnels: () => number
}

export function makeListeners(parts: ListenerParts): Listeners {
  const { upstream, listen, portOffset } = parts.config
  const proxy = upstream === undefined ? undefined : proxyOf(parts, new URL(upstream))
  const checks = makeChecks({
    ...parts,
    ...(proxy && {
      beside: async () => {
        await proxy.listen({ host: listen, port: PORTS.proxy + portOffset })
        return proxy
      },
    }),
  })
  return {
    ...checks,
    recheckNow: () => proxy?.recheckNow(),
    tunnels: () => proxy?.tunnels() ?? 0,
  }
}

const proxyOf = (parts: ListenerParts, upstream: URL) =>
  createProxy({
    check: checkOf(parts, 'proxy'),
    // what stays open was paid for when it was opened
    recheck: checkOf({ ...parts, limiter: FREE }, 'recheck'),
    upstream,
    requestId: uuid,
    trustedHops: parts.config.trustedHops,
    note: parts.notes.proxy,
  })

const FREE: Limiter = { spend: () => ({ ok: true, left: [] }) }

const checkOf = ({ index, limiter, notes }: ListenerParts, listener: string) =>
  makeCheck({ index, limiter, nowUs, note: notes.check(listener) })
