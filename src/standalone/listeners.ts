/** The ports of standalone: those of a check, and beside them the API of its objects and the reverse proxy. */
import {
  type Listeners as CheckListeners,
  type ListenersParts,
  makeListeners as makeChecks,
} from '../authz/listeners.ts'
import { type Limiter, makeCheck } from '../enforce/check.ts'
import { type ListenAt, type Listening, listen } from '../runtime/listen.ts'
import { nowUs, uuid } from '../runtime/system.ts'
import { createProxy } from '../sidecar/proxy.ts'
import { PORTS, type StandaloneConfig } from './config.ts'
import type { Rest } from './rest/serve.ts'

export type ListenerParts = Omit<ListenersParts, 'beside'> & {
  readonly config: StandaloneConfig
  readonly rest: Rest
}

export type Listeners = CheckListeners & {
  /** Asks about everything that stays open: after a change that may have taken something away. */
  readonly recheckNow: () => void
  readonly tunnels: () => number
}

export function makeListeners(parts: ListenerParts): Listeners {
  const { config, rest, tls } = parts
  const { upstream } = config
  const proxy = upstream === undefined ? undefined : proxyOf(parts, new URL(upstream))
  const at = (port: number): ListenAt => ({ host: config.listen, port: port + config.portOffset })
  const checks = makeChecks({
    ...parts,
    beside: async () => {
      const api = await listen(rest.handler, at(PORTS.api), tls)
      try {
        await proxy?.listen(at(PORTS.proxy))
      } catch (error) {
        await api.stop(0)
        throw error
      }
      return {
        stop: async (deadlineMs: number) => {
          rest.stop()
          await Promise.all([api, proxy].map((one: Pick<Listening, 'stop'> | undefined) => one?.stop(deadlineMs)))
        },
      }
    },
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
