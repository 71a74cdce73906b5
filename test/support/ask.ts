/** One HTTP request as a test writes it: the Host is free, nothing is followed, nothing is retried. */
import { type IncomingHttpHeaders, request } from 'node:http'

export type Question = {
  readonly method?: string
  /** The Host header; the connection goes to the URL's own host. */
  readonly host?: string
  /** Sent as `X-API-Key`. */
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON unless it is a string. */
  readonly body?: unknown
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body read as JSON; undefined where it is none. Tests compare its parts with values written out. */
  readonly json: Json
}

/** Any JSON, open to be asked for members that may not be there. */
export type Json = {
  readonly [member: string]: Json | undefined
} & (string | number | boolean | readonly unknown[] | object)

export function ask(url: string | URL, { method = 'GET', host, key, headers, body }: Question = {}): Promise<Answer> {
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      agent: false,
      signal: AbortSignal.timeout(20_000),
      headers: {
        ...(host === undefined ? {} : { host }),
        ...(key === undefined ? {} : { 'x-api-key': key }),
        ...(content === undefined ? {} : { 'content-length': Buffer.byteLength(content) }),
        ...(content === undefined || content === body ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: parsed(text) })
      })
    })
    outgoing.end(content)
  })
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
