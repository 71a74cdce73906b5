/** Port 8088: the objects of standalone in the shape of the Kubernetes API, for whoever has the token. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Trouble } from '../../core/trouble.ts'
import { API_VERSION } from '../../resources/common.ts'
import { isReview, readBeside, reviewed } from './beside.ts'
import { type Call, callOf, flagIn } from './call.ts'
import { JSON_TYPE, parsedBody, YAML_TYPE } from './draft.ts'
import { bodyOf, type Guard, headerOf } from './guard.ts'
import { discovery, type Target, targetOf } from './kinds.ts'
import { openApiAt } from './openapi.ts'
import { makeReader, type ReadParts } from './read.ts'
import { internal, noSuchPath, notAllowed, Refusal, unavailable } from './refusal.ts'
import { makeWatches } from './watch.ts'
import { makeWriter, type Write, type WriteParts, type Written } from './write.ts'

export type RestParts = ReadParts &
  WriteParts & {
    readonly guard: Guard
    readonly version: string
    /** undefined: everything is in force. */
    readonly missing: () => string | undefined
    /** What nobody foresaw. */
    readonly onFault: (error: unknown) => void
  }

export type Rest = {
  readonly handler: RequestListener
  /** Ends every watch. */
  readonly stop: () => void
}

type Answer = {
  readonly code: number
  readonly text: string
  readonly warnings: readonly string[]
  /** Seconds, after which it may be asked again. */
  readonly retryAfter?: number | undefined
}

const found = (body: object, code = 200): Answer => ({ code, text: JSON.stringify(body), warnings: [] })

const ON_ONE: Readonly<Record<string, 'replace' | 'patch' | 'remove' | undefined>> = {
  PUT: 'replace',
  PATCH: 'patch',
  DELETE: 'remove',
}

const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const

export function makeRest(parts: RestParts): Rest {
  const { guard, missing, onFault } = parts
  const documents = discovery(parts.version)
  const reader = makeReader(parts)
  const writer = makeWriter(parts)
  const watches = makeWatches(parts)

  const read = async (target: Target, call: Call): Promise<Answer> => {
    const text = target.name === undefined ? await reader.list(target, call) : reader.get(target, call)
    return { code: 200, text, warnings: [] }
  }

  const write = async (given: Write): Promise<Answer> => {
    const { code, body, warnings } = await writeOf(given)
    return { code, text: JSON.stringify(body), warnings }
  }

  const writeOf = (given: Write): Promise<Written> => {
    const { method } = given.call
    const { resource, name, subresource } = given.target
    if (subresource !== undefined) throw notAllowed('a status is written by Keyward only')
    const onOne = name === undefined ? undefined : ON_ONE[method]
    if (method === 'POST' && name === undefined) return writer.create(given)
    if (onOne === undefined) throw notAllowed('name one object to change or delete it, or POST a new one to its list')
    if (resource.kind === 'ApiKeyClaim' && onOne !== 'remove') {
      throw notAllowed('a claim is immutable: create another one')
    }
    return writer[onOne](given)
  }

  const documentAt = (path: string) => documents.get(path) ?? openApiAt(path) ?? readBeside(path, parts.book)

  const answerBeside = async (request: IncomingMessage, { method, path }: Call): Promise<Answer> => {
    if (!isReview(path)) throw noSuchPath()
    if (method !== 'POST') throw notAllowed('POST only')
    const body = parsedBody(await bodyOf(request), headerOf(request, 'content-type'), [JSON_TYPE, YAML_TYPE])
    return found(reviewed(body), 201)
  }

  const readOf = async (target: Target, call: Call, response: ServerResponse): Promise<Answer | undefined> => {
    if (!flagIn(call.query, 'watch')) return await read(target, call)
    if (target.name !== undefined) throw notAllowed('watch a list, with fieldSelector=metadata.name=… for one object')
    watches.begin(target, call, response)
    return undefined
  }

  /** undefined: the answer goes on by itself. */
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> => {
    guard(request)
    const call = callOf(request.method ?? '', request.url ?? '', headerOf(request, 'accept'))
    const reads = call.method === 'GET' || call.method === 'HEAD'
    const document = documentAt(call.path)
    if (document !== undefined && !reads) throw notAllowed('GET only')
    if (document !== undefined) return found(document)
    const target = targetOf(call.path)
    if (target === undefined) return await answerBeside(request, call)
    const lacking = missing()
    if (lacking !== undefined) throw unavailable(lacking)
    if (reads) return await readOf(target, call, response)
    const type = headerOf(request, 'content-type')
    return await write({ target, call, body: { text: await bodyOf(request), type } })
  }

  const handler: RequestListener = (request, response) => {
    answer(request, response).then(
      (given) => given && send(response, given),
      (error: unknown) => {
        if (!(error instanceof Refusal) && !(error instanceof Trouble)) onFault(error)
        const { body } = refusalOf(error)
        // what is left of a body that is not read
        if (!request.complete) response.shouldKeepAlive = false
        request.resume()
        const retryAfter = body.details?.retryAfterSeconds
        send(response, { code: body.code, text: JSON.stringify(body), warnings: [], retryAfter })
      },
    )
  }
  return { handler, stop: watches.stop }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof Trouble) return unavailable(`not now: ${error.code.replaceAll('_', ' ')}`)
  return internal('something went wrong here; the log of standalone says what')
}

function send(response: ServerResponse, { code, text, warnings, retryAfter }: Answer): void {
  if (response.headersSent) return void response.end()
  const told = warnings.map((warning) => `299 - "${asciiOf(warning)}"`)
  if (told.length > 0) response.setHeader('warning', told)
  response.writeHead(code, {
    ...JSON_HEADERS,
    ...(code === 401 && { 'www-authenticate': `Bearer realm="${API_VERSION}"` }),
    // without it clients do not ask again
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    'content-length': Buffer.byteLength(text) + 1,
  })
  response.end(`${text}\n`)
}

/** As it may stand in a header, in quotes. */
const asciiOf = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')
