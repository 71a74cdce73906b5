/** One watch from its beginning to its end: events out of a stream that may be cut, stopped or wrong at any byte. */
import { Trouble } from '../core/trouble.ts'
import { ApiError, refusalFrom } from './api-error.ts'
import { isObject } from './calls.ts'
import type { WatchEvent, WatchRequest } from './client.ts'
import type { Connections } from './connections.ts'
import { exchange, fromOutside, LARGEST_BODY } from './exchange.ts'
import { makeLines } from './json-lines.ts'
import { limitTime, type TimeLimit } from './time-limit.ts'

/** For the first sign of an answer. */
const OPEN_MS = 5000
/** How long the server may be silent after it should have ended the watch. */
const SILENT_MS = 2000

export type WatchParts = { readonly connections: Connections; readonly steadyMs: () => number }

export async function watchOnce({ connections, steadyMs }: WatchParts, asked: WatchRequest): Promise<void> {
  const limit = limitTime({ ms: OPEN_MS, steadyMs, caller: asked.signal })
  try {
    const query = { ...asked.query, watch: 'true', timeoutSeconds: String(asked.timeoutSeconds) }
    const request = { method: 'GET', path: asked.path, query } as const
    const { body } = await exchange({ connections, request, limit })
    limit.extend(asked.timeoutSeconds * 1000 + SILENT_MS)
    asked.onOpen()
    await follow(body, limit, asked.onEvent)
  } catch (error) {
    throw fromOutside(error, limit)
  } finally {
    limit.clear()
  }
}

async function follow(
  body: AsyncIterable<Uint8Array>,
  limit: TimeLimit,
  onEvent: (event: WatchEvent) => void,
): Promise<void> {
  const lines = makeLines(LARGEST_BODY)
  for await (const chunk of body) {
    limit.extend(SILENT_MS)
    for (const line of lines.push(chunk)) onEvent(eventOf(line))
  }
  if (lines.unfinished()) throw notUnderstood()
}

/** Exported for tests. */
export function eventOf(line: string): WatchEvent {
  const { type, object } = parsed(line)
  if (type === 'ERROR') throw errorOf(object)
  if (type === 'BOOKMARK') {
    const { resourceVersion } = metadataOf(object)
    if (typeof resourceVersion === 'string') return { type, resourceVersion }
  }
  if ((type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') && isObject(object)) return { type, object }
  throw notUnderstood()
}

function errorOf(status: unknown): ApiError {
  const code = (status as { readonly code?: unknown } | null | undefined)?.code
  return new ApiError(refusalFrom(typeof code === 'number' ? code : 500, status, undefined))
}

function parsed(line: string): { readonly type?: unknown; readonly object?: unknown } {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // the parser's own error quotes the line
    throw notUnderstood()
  }
}

const metadataOf = (object: unknown): { readonly resourceVersion?: unknown } =>
  (object as { readonly metadata?: { readonly resourceVersion?: unknown } } | null | undefined)?.metadata ?? {}

const notUnderstood = (): Trouble => new Trouble('kube_not_understood', 'retry')
