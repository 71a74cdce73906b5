/** Envoy's ext_authz as a check: a CheckRequest in, the verdict as a CheckResponse out. Nothing in here decides. */
import { ADAPTERS } from '../core/adapter.ts'
import type { Allow, Refusal, Verdict } from '../core/decide.ts'
import { deny, problemOf, statusOf } from '../core/denial.ts'
import type { Fields } from '../core/headers.ts'
import { type CheckRequest, type Pin, usableRequestId } from '../core/request.ts'
import type { Check } from '../enforce/check.ts'
import type { UpTo } from '../runtime/notes.ts'
import { readCheckRequest, type WireRequest } from './check-request-wire.ts'
import { deniedResponse, okResponse } from './check-response-wire.ts'
import { type NoHead, readEnvoyHead } from './envoy-head.ts'
import { only } from './forward-auth.ts'
import { FAILED, problemFields, TOO_MANY } from './refusal.ts'

export type ExtAuthzParts = {
  readonly check: Check
  readonly newRequestId: () => string
  /** A question that is about no single request; where that is up to the proxy, its owner must hear of it. */
  readonly untold?: (family: string, verdict: Verdict, upTo: UpTo) => void
}

/**
 * Answers a message; undefined stands for one that is longer than a check can be. Throws Malformed for bytes that are none.
 * Everything else is a decision, because a proxy may be told to let requests pass where a call fails.
 */
export type Answer = (message: Uint8Array | undefined) => Uint8Array | Promise<Uint8Array>

export const extAuthz =
  (parts: ExtAuthzParts): Answer =>
  (message) => {
    if (message === undefined) return refuseUntold(parts, TOO_LONG, [])
    const wire = readCheckRequest(message)
    const asked = read(parts, wire)
    return 'untold' in asked ? refuseUntold(parts, asked, wire.headers) : ask(parts.check, asked)
  }

function ask(check: Check, asked: Asked): Uint8Array | Promise<Uint8Array> {
  const failed = () => denied(FAILED, asked.request.requestId)
  try {
    const verdict = check(asked.request)
    if (!(verdict instanceof Promise)) return answer(verdict, asked)
    return verdict.then((late) => answer(late, asked)).catch(failed)
  } catch {
    return failed()
  }
}

type Asked = {
  readonly request: CheckRequest
  /** Names that only Keyward may send, and that nothing of ours replaces. */
  readonly clientsOwn: readonly string[]
  /** The request came without an ID of its own that could be used. */
  readonly drawn: boolean
}

const TOO_LONG: NoHead = { untold: 'a message longer than a check can be', upTo: 'caller', code: 'ambiguous_request' }

function read({ newRequestId }: ExtAuthzParts, wire: WireRequest): Asked | NoHead {
  if (wire.tooMany) return { ...TOO_MANY, code: 'ambiguous_request' }
  const head = readEnvoyHead(wire)
  if ('untold' in head) return head
  const known = usableRequestId(head.requestId)
  return {
    request: {
      method: wire.method,
      target: wire.path,
      hosts: head.hosts,
      headers: head.headers,
      address: wire.address === '' ? undefined : wire.address,
      requestId: known ?? newRequestId(),
      pin: pinOf(wire.extensions),
      ability: ADAPTERS.EnvoyGRPC,
    },
    clientsOwn: head.clientsOwn,
    drawn: known === undefined,
  }
}

/** Only the proxy's configuration can name an extension: no caller has a way to. */
function pinOf(extensions: readonly string[]): Pin | undefined {
  if (extensions.length === 0) return undefined
  let [api, environment]: [string | undefined, string | undefined] = [undefined, undefined]
  for (let i = 0; i + 1 < extensions.length; i += 2) {
    if (extensions[i] === 'keyward.api') api = extensions[i + 1]
    else if (extensions[i] === 'keyward.environment') environment = extensions[i + 1]
  }
  return api === undefined && environment === undefined ? undefined : { api, environment }
}

function refuseUntold({ newRequestId, untold }: ExtAuthzParts, no: NoHead, headers: Fields): Uint8Array {
  const verdict: Refusal = { ...deny(no.code, no.untold), caller: [] }
  untold?.('grpc', verdict, no.upTo)
  return denied(verdict, usableRequestId(only(headers, 'x-request-id')) ?? newRequestId())
}

const answer = (verdict: Verdict, asked: Asked): Uint8Array =>
  verdict.kind === 'allow' ? allowed(verdict, asked) : denied(verdict, asked.request.requestId)

const CREDENTIALS = ['authorization', 'x-api-key']
/** The request's ID, which comes last among the headers for the upstream. */
const VARYING = 2

function allowed({ record, upstream, caller, narrowing }: Allow, { request, clientsOwn, drawn }: Asked): Uint8Array {
  const id = ['x-request-id', request.requestId]
  const target = narrowing?.target
  // query_parameters_to_set would sort what the caller wrote, and Envoy removes after it has set
  const narrowed = target === undefined ? upstream : [...upstream, ':path', target]
  return okResponse({
    headers: drawn ? [...narrowed, ...id] : narrowed,
    steady: record && { owner: record, count: upstream.length - VARYING },
    remove: clientsOwn.length === 0 ? CREDENTIALS : [...CREDENTIALS, ...clientsOwn],
    responseHeaders: caller.length === 0 ? id : [...caller, ...id],
  })
}

function denied(refusal: Refusal, requestId: string): Uint8Array {
  const status = statusOf(refusal.code)
  const headers: Fields = [...problemFields(refusal.code), ...refusal.caller, 'x-request-id', requestId]
  return deniedResponse({
    code: RPC_CODES[status] ?? PERMISSION_DENIED,
    status,
    headers,
    body: problemOf(refusal, requestId),
  })
}

const PERMISSION_DENIED = 7

/** google.rpc.Code of a status. None is 0, which would be a yes. */
const RPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: PERMISSION_DENIED,
  429: 8,
  502: 14,
  503: 14,
}
