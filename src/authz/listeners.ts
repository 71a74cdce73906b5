/** The listeners of a check: HTTP, gRPC, metrics and health, and whatever else stands beside them; they begin and end together. */
import type { Index } from '../core/decide.ts'
import { type Limiter, makeCheck } from '../enforce/check.ts'
import { health } from '../runtime/health.ts'
import { type ListenAt, type Listening, listen } from '../runtime/listen.ts'
import { CHECK_PORTS } from '../runtime/listening.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Notes } from '../runtime/notes.ts'
import { nowMs, nowUs, uuid } from '../runtime/system.ts'
import type { ServerTls } from '../runtime/tls.ts'
import { httpDate } from '../runtime/whole-response.ts'
import { extAuthz } from './ext-authz.ts'
import { serveGrpc } from './grpc-serve.ts'
import { httpCheck } from './http-check.ts'
import { unreadableCheck } from './unreadable-check.ts'

export type ListenersParts = {
  readonly config: { readonly listen: string; readonly portOffset: number; readonly trustedHops: number }
  readonly metrics: Metrics
  readonly notes: Notes
  /** What is in force; undefined: nothing yet. */
  readonly index: () => Index | undefined
  readonly limiter: Limiter
  /** What `/readyz` still waits for; undefined: nothing. */
  readonly missing: () => string | undefined
  /** Of the checks; metrics and health are asked by those who look after the process. */
  readonly tls: ServerTls | undefined
  /** Begins last. */
  readonly beside?: () => Promise<Pick<Listening, 'stop'>>
}

export type Listeners = {
  /** Everything listens when it resolves; rejects with a Trouble that names the port which is taken. */
  readonly start: () => Promise<void>
  /** Health ends last, so that whoever looks sees 503 as long as anything is answered. */
  readonly stop: (deadlineMs: number) => Promise<void>
}

export function makeListeners(parts: ListenersParts): Listeners {
  const { config, metrics, notes, missing, tls, beside } = parts
  const at = (name: keyof typeof CHECK_PORTS): ListenAt => ({
    host: config.listen,
    port: CHECK_PORTS[name] + config.portOffset,
  })
  const checkOf = (listener: string) => makeCheck({ ...parts, nowUs, note: notes.check(listener) })
  const http = {
    check: checkOf('http'),
    untold: notes.untold,
    trustedHops: config.trustedHops,
    newRequestId: uuid,
    date: httpDate(nowMs),
  }
  const grpc = {
    check: extAuthz({ check: checkOf('grpc'), newRequestId: uuid, untold: notes.untold }),
    serving: () => missing() === undefined,
    tls,
  }
  const started: Pick<Listening, 'stop'>[] = []
  let admin: Listening | undefined
  return {
    start: async () => {
      admin = await listen(health({ metrics, missing, answered: notes.answered }), at('metrics'))
      started.push(await listen(httpCheck(http), { ...at('check'), unreadable: unreadableCheck(http) }, tls))
      started.push(await serveGrpc(grpc, at('grpc')))
      if (beside !== undefined) started.push(await beside())
    },
    stop: async (deadlineMs) => {
      await Promise.all(started.map(({ stop }) => stop(deadlineMs)))
      await admin?.stop(0)
    },
  }
}
