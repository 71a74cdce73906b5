/** A check asked over gRPC as JSON says it, and what its answer would make of the request (Envoy's own rules). */
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { type Answered, decodeResponse, encodeRequest, overwriting } from '../support/ext-authz-proto.ts'
import { CHECK } from './h2-outcome.ts'
import type { Seen } from './upstream.ts'

/** A message of the call: JSON as protobuf writes it, or its bytes. */
export type Question = object | Uint8Array

export type Asker = {
  /** Rejects with grpc-js' error where the call itself fails. */
  readonly ask: (question: Question, deadlineMs?: number) => Promise<Answered>
  readonly close: () => void
}

export function asker(port: number): Asker {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  return {
    ask: (question, deadlineMs = 10_000) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          CHECK,
          (bytes: Uint8Array) => Buffer.from(bytes),
          decodeResponse,
          question instanceof Uint8Array ? question : encodeRequest(question),
          { deadline: Date.now() + deadlineMs },
          (error: ServiceError | null, answer?: Answered) => {
            if (error !== null || answer === undefined) reject(error)
            else resolve(answer)
          },
        )
      }),
    close: () => client.close(),
  }
}

/** `allow`, or `401 invalid_key`; throws on an answer that Envoy could read otherwise than it is meant. */
export function decisionOf({ status, okResponse, deniedResponse }: Answered): string {
  const code = status?.code ?? 0
  if (deniedResponse === undefined) {
    if (okResponse === undefined || code !== 0) throw new Error(`neither yes nor no: ${code}`)
    return 'allow'
  }
  // Envoy takes a denial with code 0 for a yes
  if (code === 0) throw new Error('a denial that would be taken for a yes')
  const http = deniedResponse.status.code
  const body = JSON.parse(deniedResponse.body) as { readonly status?: number; readonly code?: string }
  if (body.status !== http) throw new Error(`the status is ${http} and the body says ${body.status}`)
  return `${http} ${body.code}`
}

/** google.rpc.Code of the status of a denial. */
export const RPC_CODES: Readonly<Record<string, number>> = { 400: 3, 401: 16, 403: 7, 429: 8, 503: 14 }

export type HttpSaid = {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly headerMap?: { readonly headers: readonly { key: string; value?: string; rawValue?: string }[] }
}

/** Every header that the question tells of: name and value, one character per byte. */
function headersOf({ headers = {}, headerMap }: HttpSaid): readonly (readonly [string, string])[] {
  const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
  const listed = (headerMap?.headers ?? []).map(({ key, value = '', rawValue = '' }) => [
    latin1(key),
    rawValue === '' ? latin1(value) : Buffer.from(rawValue, 'base64').toString('latin1'),
  ])
  const mapped = Object.entries(headers).map(([name, value]) => [latin1(name), latin1(value)])
  return [...mapped, ...listed] as [string, string][]
}

/** Names that end at a proxy, which frames anew, or that stand for the request line. */
const NOT_PASSED_ON =
  /^(:.*|host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length|http2-settings)$/i

/** The request as an upstream behind Envoy would get it. */
export function seenBehind(http: HttpSaid, { okResponse }: Answered): Seen {
  const set = overwriting(okResponse?.headers ?? [])
  const removed = new Set(okResponse?.headersToRemove.map((name) => name.toLowerCase()))
  const host = http.host || headersOf(http).find(([name]) => name.toLowerCase() === 'host')?.[1]
  const headers: [string, string][] = [['host', host ?? '']]
  let target = http.path ?? ''
  const over = new Set<string>()
  for (let i = 0; i + 1 < set.length; i += 2) over.add(set[i] ?? '')
  for (const [name, value] of headersOf(http)) {
    const known = name.toLowerCase()
    if (!NOT_PASSED_ON.test(name) && !removed.has(known) && !over.has(known)) headers.push([name, value])
  }
  for (let i = 0; i + 1 < set.length; i += 2) {
    if (set[i] === ':path') target = set[i + 1] ?? ''
    else headers.push([set[i] ?? '', set[i + 1] ?? ''])
  }
  return { method: http.method ?? '', target, headers, body: '', trailers: '', head: '', connection: 0 }
}

/** As bytes of HTTP/1.1, for an oracle that looks for credentials in what was sent. */
export const sentAs = (http: HttpSaid): string =>
  [
    `${http.method} ${http.path} HTTP/1.1`,
    `Host: ${http.host}`,
    ...headersOf(http)
      .filter(([name]) => !/^(:.*|host)$/i.test(name))
      .map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n')
