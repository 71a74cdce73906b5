/** The ports of standalone: reverse proxy, HTTP check, metrics and health; they begin and end together. */
import { httpCheck } from '../authz/http-check.ts'
import type { Index } from '../core/decide.ts'
import { type Limiter, makeCheck } from '../enforce/check.ts'
import { health } from '../runtime/health.ts'
import { type ListenAt, listen } from '../runtime/listen.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { makeNotes, type Notes, type NotesParts } from '../runtime/notes.ts'
import { nowMs, nowUs, uuid } from '../runtime/system.ts'
import { httpDate } from '../runtime/whole-response.ts'
import { createProxy } from '../sidecar/proxy.ts'
import { PORTS, type StandaloneConfig } from './config.ts'

export type ListenerParts = NotesParts & {
  readonly metrics: Metrics
  readonly config: StandaloneConfig
  /** What is in force; undefined: nothing yet. */
  readonly index: () => Index | undefined
  readonly limiter: Limiter
  /** What `/readyz` still waits for; undefined: nothing. */
  readonly missing: () => string | undefined
}

export type Listeners = {
  /** Asks about everything that stays open: after a change that may have taken something away. */
  readonly recheckNow: () => void
  readonly tunnels: () => number
  /** Everything listens when it resolves; rejects with a Trouble that names the port which is taken. */
  readonly start: () => Promise<void>
  /** Health ends last, so that whoever looks sees 503 as long as anything is answered. */
  readonly stop: (deadlineMs: number) => Promise<void>
}

type Stop = (deadlineMs: number) => Promise<void>

export function makeListeners(parts: ListenerParts): Listeners {
  const { config, metrics, missing } = parts
  const notes = makeNotes(parts)
  const at = (name: keyof typeof PORTS): ListenAt => ({ host: config.listen, port: PORTS[name] + config.portOffset })
  const proxy = config.upstream === undefined ? undefined : proxyOf(parts, notes, new URL(config.upstream))
  const check = httpCheck({
    check: checkOf(parts, notes, 'http'),
    untold: notes.untold,
    trustedHops: config.trustedHops,
    newRequestId: uuid,
    date: httpDate(nowMs),
  })
  const started: Stop[] = []
  let stopHealth: Stop = async () => undefined
  return {
    recheckNow: () => proxy?.recheckNow(),
    tunnels: () => proxy?.tunnels() ?? 0,
    start: async () => {
      stopHealth = (await listen(health({ metrics, missing }), at('metrics'))).stop
      started.push((await listen(check, at('check'))).stop)
      if (proxy === undefined) return
      await proxy.listen(at('proxy'))
      started.push(proxy.stop)
    },
    stop: async (deadlineMs) => {
      await Promise.all(started.map((stop) => stop(deadlineMs)))
      await stopHealth(0)
    },
  }
}

const proxyOf = (parts: ListenerParts, notes: Notes, upstream: URL) =>
  createProxy({
    check: checkOf(parts, notes, 'proxy'),
    // what stays open was paid for when it was opened
    recheck: checkOf({ ...parts, limiter: FREE }, notes, 'recheck'),
    upstream,
    requestId: uuid,
    trustedHops: parts.config.trustedHops,
    note: notes.proxy,
  })

const FREE: Limiter = { spend: () => ({ ok: true, left: [] }) }

const checkOf = ({ index, limiter }: ListenerParts, notes: Notes, listener: string) =>
  makeCheck({ index, limiter, nowUs, note: notes.check(listener) })
