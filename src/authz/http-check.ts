/** The HTTP check on the wire: a proxy's question in, the verdict out. Nothing in here decides. */
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Verdict } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import { usableRequestId } from '../core/request.ts'
import type { Check } from '../enforce/check.ts'
import { KEEP_ALIVE_S } from '../runtime/listen.ts'
import type { UpTo } from '../runtime/notes.ts'
import { sendWhole } from '../runtime/whole-response.ts'
import { type Family, familyOf, only, type Untold } from './forward-auth.ts'
import { FAILED, httpRefusal, TOO_MANY } from './refusal.ts'

export type HttpCheckParts = {
  readonly check: Check
  readonly trustedHops: number
  readonly newRequestId: () => string
  /** A question that is about no single request; where that is up to the proxy, its owner must hear of it. */
  readonly untold: (family: string, verdict: Verdict, upTo: UpTo) => void
  /** The Date of the moment. */
  readonly date: () => string
}

const MAX_BODY_BYTES = 64 * 1024

export const httpCheck =
  (parts: HttpCheckParts): RequestListener =>
  (request, response) => {
    const family = familyOf(request.url ?? '')
    const body = bodyOf(request)
    if (family === undefined) plain(response, 404, 'not a check: /check/envoy/…, /check/nginx or /check/forwarded')
    else if (body === 'long') plain(response, 413, 'a check takes no body')
    else {
      if (body === 'short') request.resume()
      ask(parts, family, request, response)
    }
  }

function ask(parts: HttpCheckParts, family: Family, request: IncomingMessage, response: ServerResponse): void {
  const headers = request.rawHeaders
  const requestId = usableRequestId(only(headers, 'x-request-id')) ?? parts.newRequestId()
  const incoming = { method: request.method ?? '', url: request.url ?? '', headers }
  const told =
    headers.length > 2 * MAX_HEADER_LINES
      ? TOO_MANY
      : family.read(incoming, { trustedHops: parts.trustedHops, requestId })
  const tell = (verdict: Verdict) => answer(parts, response, { verdict, requestId, family })
  const failed = () => tell(FAILED)
  try {
    const verdict = 'untold' in told ? refuseUntold(parts, family, told) : parts.check(told)
    if (verdict instanceof Promise) verdict.then(tell).catch(failed)
    else tell(verdict)
  } catch {
    failed()
  }
}

function refuseUntold({ untold }: HttpCheckParts, family: Family, no: Untold): Verdict {
  const verdict: Verdict = { ...deny('ambiguous_request', no.untold), caller: [] }
  untold(family.name, verdict, no.upTo)
  return verdict
}

/** A hundred of the caller's, and what its proxy adds. */
const MAX_HEADER_LINES = 128

/** A check has no use for a body. A short one is read and forgotten, since some proxies send it all the same. */
function bodyOf({ headers }: IncomingMessage): 'none' | 'short' | 'long' {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers
  if (length === '0' && coding === undefined) return 'none'
  return coding === undefined && Number(length) <= MAX_BODY_BYTES ? 'short' : 'long'
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, ['content-type', 'text/plain', 'connection', 'close'])
  response.end(`${text}\n`)
}

type Asked = { readonly verdict: Verdict; readonly requestId: string; readonly family: Family }

function answer(parts: HttpCheckParts, response: ServerResponse, { verdict, requestId, family }: Asked): void {
  const connection = { date: parts.date(), keepAliveS: KEEP_ALIVE_S }
  if (verdict.kind === 'allow') {
    const fields = [...verdict.upstream, ...verdict.caller, ...family.onAllow, 'x-request-id', requestId]
    sendWhole(response, { status: 200, reason: 'OK', fields, body: '' }, connection)
    return
  }
  const refused = httpRefusal(verdict, requestId, family.onlyKnows401And403)
  sendWhole(response, { ...refused, reason: STATUS_CODES[refused.status] ?? '' }, connection)
}
