/** One request and its answer, once: what fails becomes an ApiError or a Trouble that quotes neither. */
import { StringDecoder } from 'node:string_decoder'
import type { Dispatcher } from 'undici'
import { Trouble } from '../core/trouble.ts'
import { ApiError, refusalFrom } from './api-error.ts'
import type { KubeRequest } from './client.ts'
import type { Connections } from './connections.ts'
import { type TimeLimit, unlessAborted } from './time-limit.ts'

/** A page of 500 objects is far below; more than this would only fill our memory. */
export const LARGEST_BODY = 64 * 1024 * 1024
const LARGEST_REFUSAL = 256 * 1024
const TOO_LARGE = 'kube_too_large'

export type Exchange = {
  readonly connections: Connections
  readonly request: KubeRequest
  readonly limit: TimeLimit
}

/** A success whose body has not been read. After a 401 the credentials are asked for anew, once: it did nothing yet. */
export async function exchange(parts: Exchange): Promise<Dispatcher.ResponseData> {
  try {
    return await once(parts, false)
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw fromOutside(error, parts.limit)
  }
  try {
    return await once(parts, true)
  } catch (error) {
    throw fromOutside(error, parts.limit)
  }
}

async function once({ connections, request, limit }: Exchange, fresh: boolean): Promise<Dispatcher.ResponseData> {
  const { dispatcher, origin, prefix, headers } = await unlessAborted(connections.take(fresh), limit.signal)
  if (request.allowed?.() === false) throw new Trouble('not_leading', 'stop')
  const query = new URLSearchParams(request.query).toString()
  // undici looks at the signal only once there is a connection
  const asking = dispatcher.request({
    origin,
    path: `${prefix}${request.path}${query === '' ? '' : `?${query}`}`,
    method: request.method,
    headers: {
      ...headers,
      accept: request.accept ?? 'application/json',
      'user-agent': 'keyward',
      ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
    },
    signal: limit.signal,
    ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
  })
  const response = await unlessAborted(asking, limit.signal)
  if (response.statusCode >= 200 && response.statusCode < 300) return response
  throw await refused(response, request)
}

async function refused(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  request: KubeRequest,
): Promise<ApiError> {
  const retryAfter = headers['retry-after']
  const said = await saidIn(body)
  request.refused?.(said)
  return new ApiError(refusalFrom(statusCode, said, typeof retryAfter === 'string' ? retryAfter : undefined))
}

/** What a proxy in between says may be anything, and of any length: the status counts by itself then. */
async function saidIn(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  try {
    return JSON.parse(await readText(body, LARGEST_REFUSAL))
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Trouble && error.code === TOO_LARGE)) return undefined
    throw error
  }
}

/** The parsed body. The parser's own error is dropped: it quotes what it could not read. */
export async function readJson(body: AsyncIterable<Uint8Array>, limit: TimeLimit): Promise<unknown> {
  try {
    return JSON.parse(await readText(body, LARGEST_BODY))
  } catch (error) {
    throw error instanceof SyntaxError ? new Trouble('kube_not_understood', 'retry') : fromOutside(error, limit)
  }
}

/** Piece by piece: bytes of a whole body, put together, would be memory that the process hardly gives back. */
async function readText(body: AsyncIterable<Uint8Array>, most: number): Promise<string> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > most) throw new Trouble(TOO_LARGE, 'retry')
    text += decoder.write(chunk)
  }
  return text + decoder.end()
}

/** Codes of Node, undici and OpenSSL are plain words and say no more than that. */
const CODE = /^[A-Z][A-Z0-9_]{1,60}$/

/** An error of a socket, without what it holds but its code. */
export function fromOutside(error: unknown, limit: TimeLimit): Trouble {
  const verdict = limit.verdict()
  if (verdict !== undefined) return verdict
  if (error instanceof Trouble) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return new Trouble(
    'kube_unreachable',
    'retry',
    typeof code === 'string' && CODE.test(code) ? new Error(code) : undefined,
  )
}
