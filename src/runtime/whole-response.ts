/**
 * A whole response in one piece: head and body composed here and handed to node as they are.
 * Node checks and copies every header line by itself, which for the twenty lines of a check costs more than the check:
 * 32 µs of CPU per request with writeHead, 24 with this (bench/wire.ts, on one machine, side by side). The price is that
 * names and values are not checked again, so they must come from parsed values only.
 */
import type { ServerResponse } from 'node:http'
import type { Fields } from '../core/headers.ts'

/** Fields of node's own that writeHead fills in as well; a test reads the bytes that come of it. */
type Inside = { _header: string | null; _last: boolean; shouldKeepAlive: boolean }

/** What node's writeHead would add by itself. */
export type Connection = { readonly date: string; readonly keepAliveS: number }

export type Whole = {
  readonly status: number
  /** The reason phrase of the status line. */
  readonly reason: string
  /** Name, value, name, value … without framing, Date and Connection. */
  readonly fields: Fields
  /** ASCII or text that is sent as UTF-8. */
  readonly body: string
}

export function sendWhole(response: ServerResponse, whole: Whole, { date, keepAliveS }: Connection): void {
  const inside = response as unknown as Inside
  const { status, reason, fields, body } = whole
  let head = `HTTP/1.1 ${status} ${reason}\r\n`
  for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
  head += `content-length: ${body === '' ? 0 : Buffer.byteLength(body)}\r\nDate: ${date}\r\n`
  head += inside.shouldKeepAlive
    ? `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveS}\r\n\r\n`
    : 'Connection: close\r\n\r\n'
  response.statusCode = status
  inside._last = !inside.shouldKeepAlive
  inside._header = head
  // with nothing behind it the head is one write; a string behind it joins that write
  if (body === '') response.end()
  else response.end(body, 'utf8')
}

/** The Date of the moment (RFC 9110 §6.6.1), put into words once a second. @param nowMs milliseconds since 1970 */
export function httpDate(nowMs: () => number): () => string {
  let second = Number.NaN
  let text = ''
  return () => {
    const now = Math.floor(nowMs() / 1000)
    if (now !== second) {
      second = now
      text = new Date(now * 1000).toUTCString()
    }
    return text
  }
}
