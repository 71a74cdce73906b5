/** Requests to the API server: bounded in time and size, and what fails says nothing of what was sent. */
import { Trouble } from '../core/trouble.ts'
import { pause } from '../runtime/pause.ts'
import type { Access } from './access.ts'
import { ApiError } from './api-error.ts'
import { makeConnections } from './connections.ts'
import { exchange, readJson } from './exchange.ts'
import type { KubeObject } from './objects.ts'
import { limitTime, type TimeLimit } from './time-limit.ts'
import { watchOnce } from './watch-stream.ts'

export type KubeRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** `application/json` where there is a body. */
  readonly contentType?: string
  readonly accept?: string
  /** For all of it, with what is tried again; 10 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** A failure is told at once: whoever asks tries again by itself. */
  readonly once?: boolean
  /** Asked when the request is about to be sent: false refuses it. */
  readonly allowed?: () => boolean
  /**
   * Told the body of a refusal before it is thrown. It may quote what was sent, so it is for the eyes of the person who sent
   * it, and for no log, event or status: that is why an ApiError does not have it.
   */
  readonly refused?: (body: unknown) => void
}

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

export type WatchRequest = {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** The server is to end it after so many seconds; it is given up when it says nothing for long after that. */
  readonly timeoutSeconds: number
  readonly signal: AbortSignal
  /** The server has agreed to watch. */
  readonly onOpen: () => void
  /** A Trouble that it throws ends the watch with that. Must not take long. */
  readonly onEvent: (event: WatchEvent) => void
}

export type KubeClient = {
  /** The parsed body of a success; anything else is thrown: an ApiError, or a Trouble where there is no answer. */
  readonly send: (request: KubeRequest) => Promise<unknown>
  /** Resolves when the server ends it as it should; anything else is thrown, ERROR events as ApiError. */
  readonly watch: (request: WatchRequest) => Promise<void>
  readonly close: () => Promise<void>
}

export type ClientParts = {
  readonly access: Access
  readonly steadyMs: () => number
  /** From 0 (inclusive) to 1. */
  readonly jitter: () => number
}

/** How many requests are under way at once; watches have connections of their own. */
const AT_ONCE = 32
const WATCHES_AT_ONCE = 256
const TIMEOUT_MS = 10_000

export function makeClient({ access, steadyMs, jitter }: ClientParts): KubeClient {
  const connections = makeConnections(access, AT_ONCE)
  const watching = makeConnections(access, WATCHES_AT_ONCE)

  /** One that was answered nothing may be the first of many that are open and dead. */
  const suspect = (error: unknown): unknown => {
    if (error instanceof Trouble && error.code === 'kube_timeout') {
      connections.distrust()
      watching.distrust()
    }
    return error
  }

  const attempt = async (request: KubeRequest, limit: TimeLimit): Promise<unknown> => {
    const { body } = await exchange({ connections, request, limit })
    return readJson(body, limit)
  }

  const send = async (request: KubeRequest): Promise<unknown> => {
    const limit = limitTime({ ms: request.timeoutMs ?? TIMEOUT_MS, steadyMs, caller: request.signal })
    try {
      for (let failures = 1; ; failures += 1) {
        try {
          return await attempt(request, limit)
        } catch (error) {
          const waitMs = againAfterMs(request, error, { failures, jitter: jitter() })
          if (waitMs === undefined || waitMs >= limit.leftMs()) throw suspect(error)
          await pause(waitMs, limit.signal)
        }
      }
    } finally {
      limit.clear()
    }
  }

  return {
    send,
    watch: async (request) => {
      try {
        await watchOnce({ connections: watching, steadyMs }, request)
      } catch (error) {
        throw suspect(error)
      }
    },
    close: async () => {
      await Promise.all([connections.close(), watching.close()])
    },
  }
}

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 1000

/** Only what changes nothing is asked again, and only where another answer may come; undefined: not at all. */
function againAfterMs(
  { method, once }: KubeRequest,
  error: unknown,
  { failures, jitter }: { readonly failures: number; readonly jitter: number },
): number | undefined {
  if (method !== 'GET' || once === true || !(error instanceof Trouble) || !PASSING.has(error.code)) return undefined
  const asked = error instanceof ApiError ? error.retryAfterMs : undefined
  const own = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10))
  // never sooner than the server asked for, and not all at the same moment
  return asked === undefined ? own * (0.5 + jitter / 2) : asked * (1 + jitter / 4)
}

const PASSING = new Set(['kube_throttled', 'kube_unavailable', 'kube_unreachable'])

/** The same client, that refuses to write as soon as it must not. */
export function fenced(client: KubeClient, mayWrite: () => boolean): KubeClient {
  const send = async (request: KubeRequest): Promise<unknown> => {
    if (request.method === 'GET') return client.send(request)
    if (!mayWrite()) throw new Trouble('not_leading', 'stop')
    return client.send({ ...request, allowed: mayWrite })
  }
  return { ...client, send }
}
