/** What both upstreams need of a web framework: a table of routes over node:http, JSON in and out. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'

export type Call = {
  readonly headers: IncomingHttpHeaders
  /** What the parts of the path in round brackets matched. */
  readonly parts: readonly string[]
  readonly query: URLSearchParams
  /** The JSON object that was sent; empty where nothing was. */
  readonly body: Readonly<Record<string, unknown>>
}

/** A status, and what is sent as JSON (undefined: nothing). */
export type Reply = readonly [status: number, content?: unknown]

export type Route = readonly [method: string, path: RegExp, handle: (call: Call) => Reply]

export const NOT_FOUND: Reply = [404, { error: 'not found' }]

/** What is there, or 404. */
export const found = (thing: unknown): Reply => (thing === undefined ? NOT_FOUND : [200, thing])

export function jsonApi(routes: readonly Route[]): Server {
  return createServer(async (request, response) => {
    const [status, content] = await reply(routes, request)
    response.writeHead(status, content === undefined ? {} : { 'content-type': 'application/json' })
    response.end(content === undefined ? undefined : `${JSON.stringify(content)}\n`)
  })
}

type Incoming = AsyncIterable<Buffer> & {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
}

async function reply(routes: readonly Route[], request: Incoming): Promise<Reply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://upstream')
  // node:http leaves out the body of an answer to HEAD by itself
  const asked = request.method === 'HEAD' ? 'GET' : request.method
  for (const [method, path, handle] of routes) {
    const match = asked === method ? path.exec(pathname) : null
    if (match === null) continue
    const body = await jsonOf(request)
    if (body === undefined) return [400, { error: 'the body must be a JSON object' }]
    const parts = match.slice(1).map(decodeURIComponent)
    return handle({ headers: request.headers, parts, query: searchParams, body })
  }
  return NOT_FOUND
}

async function jsonOf(request: AsyncIterable<Buffer>): Promise<Readonly<Record<string, unknown>> | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? { ...body } : undefined
  } catch {
    return undefined
  }
}
