/** How an answer is given while the request's body may still be coming: said at once, then read on for a bounded while. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from './answers.ts'
import { keepAliveOf, type ProxyLimits } from './limits.ts'
import type { Framing } from './request-head.ts'

export type Incoming = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly framing: Framing
  readonly expects: 'nothing' | 'continue' | 'other'
}

export type Manner = { readonly limits: ProxyLimits; readonly close: boolean }

/** Whether bytes of the request are still to come. */
export const isUnread = ({ request, framing }: Incoming): boolean => framing.kind !== 'none' && !request.complete

/** Gives an answer of our own, whole. */
export function give(incoming: Incoming, { status, fields, body }: Answer, { limits, close }: Manner): void {
  const { response } = incoming
  const unread = isUnread(incoming)
  const closes = close || !response.shouldKeepAlive || (unread && !isSmall(incoming, limits))
  const head = [...fields, 'content-length', String(Buffer.byteLength(body))]
  if (closes) head.push('connection', 'close')
  else head.push('keep-alive', keepAliveOf(limits))
  response.writeHead(status, head)
  if (!unread) {
    response.end(body)
    return
  }
  response.write(body)
  response.flushHeaders()
  endBehindRequest(incoming, { limits, close: closes })
}

/** Whether it is sooner read than a new connection is made; whoever waits for a 100 may never send it. */
const isSmall = ({ framing, expects }: Incoming, { drainBytes }: ProxyLimits): boolean =>
  framing.kind === 'length' && framing.bytes <= drainBytes && expects === 'nothing'

/**
 * Ends a response whose request goes on: reads the rest, up to a bound, and only then lets the connection end. A connection
 * closed over unread bytes is reset, and a reset can take the answer with it before it was read.
 */
export function endBehindRequest({ request, response }: Incoming, { limits, close }: Manner): void {
  let left = limits.drainBytes
  const over = () => {
    clearTimeout(late)
    request.off('data', count).off('end', over).off('close', over)
    // what comes later is not stored, whoever sends it
    request.resume()
    if (close || request.complete) response.end()
    else request.socket.destroy()
  }
  const count = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) over()
  }
  const late = setTimeout(over, limits.drainMs)
  request.on('data', count).on('end', over).on('close', over)
  request.resume()
}
