/**
 * The decision: a pure function of (request, index, now). Checks stand in lists, and the order of the lists is published:
 * the first that objects answers. What a limit must still be asked for is returned, not spent.
 */
import { Facts, ORDER } from './access.ts'
import { type Credential, digestOf } from './credential.ts'
import { type Denial, deny } from './denial.ts'
import { type AmbiguousHead, type Head, readHead } from './head.ts'
import { type Fields, limitFields, retryAfter, upstreamFields } from './headers.ts'
import { canonicalHost, type HostTable, type Served } from './host.ts'
import type { Limit, LimitFailure, Spent } from './limit.ts'
import type { NamespaceTree } from './namespace.ts'
import type { Narrowing } from './narrow.ts'
import { parseTarget, type Target } from './path.ts'
import { presented } from './presented.ts'
import type { Entry, FindKey, KeyRecord } from './record.ts'
import type { CheckRequest } from './request.ts'
import { overridesMethod } from './reserved.ts'
import { isMethod, type Match, type Method } from './route.ts'

/** Everything that a decision may look at besides the request. */
export type Index = {
  readonly findKey: FindKey
  readonly hosts: HostTable
  readonly tree: NamespaceTree
  /** How long ago all of this was last known to be so, in milliseconds; absent where nothing stands in between. */
  readonly staleMs?: () => number
}

export type Allow = {
  readonly kind: 'allow'
  /** undefined: a public route or preflight, where no credential was looked at. */
  readonly record: KeyRecord | undefined
  readonly match: Match | undefined
  /** `x-keyward-*` for the upstream. */
  readonly upstream: Fields
  readonly narrowing: Narrowing | undefined
  /** RateLimit fields for the caller. */
  readonly caller: Fields
}

/** A refusal with what its answer says beyond the code: the key where it is known (for logs), limits where they refused. */
export type Refusal = Denial & { readonly record?: KeyRecord; readonly caller: Fields }

export type Verdict = Allow | Refusal

/** What follows the limit is already decided; the shell only reports whether it could be spent. */
export type Metered = {
  readonly kind: 'metered'
  readonly record: KeyRecord
  readonly limits: readonly Limit[]
  /** What counts where the limits can't be asked. */
  readonly failure: LimitFailure
  readonly granted: Allow
}

export type Ruling = Verdict | Metered

/** A request that can be read in one way only, at a host that is served. */
export type Reading = {
  readonly request: CheckRequest
  readonly index: Index
  readonly now: number
  readonly method: Method
  readonly target: Target
  readonly head: Head
  readonly served: Served
  readonly match: Match | undefined
}

const NO_FIELDS: Fields = []

const refuse = (denial: Denial, record?: KeyRecord): Refusal =>
  record === undefined ? { ...denial, caller: NO_FIELDS } : { ...denial, record, caller: NO_FIELDS }

/** @param now milliseconds since 1970 */
export function decide(request: CheckRequest, index: Index, now: number): Ruling {
  const reading = read(request, index, now)
  if ('kind' in reading) return refuse(reading)
  if (isOpen(reading)) return allow(reading)
  const entry = identify(reading)
  return 'kind' in entry ? refuse(entry) : judge(reading, entry.record)
}

/** The first rows of the table: one reading of the request, and a host that is served. */
export function read(request: CheckRequest, index: Index, now: number): Reading | Denial {
  const target = parseTarget(request.target)
  if ('refused' in target) return deny('ambiguous_path', target.refused)
  const head: Head | AmbiguousHead = readHead(request.headers)
  if ('ambiguous' in head) return deny('ambiguous_request', head.ambiguous)
  if (head.unknownReserved && !request.ability.removal) {
    return deny('ambiguous_request', 'a reserved header that this listener can not remove')
  }
  const { method } = request
  if (!isMethod(method)) return deny('ambiguous_request', 'a method that is not answered')
  if (target.query !== undefined && overridesMethod(target.query)) {
    return deny('ambiguous_request', 'a query parameter that overrides the method')
  }
  const host = request.hosts.length === 1 ? canonicalHost(request.hosts[0] ?? '') : undefined
  if (host === undefined) return deny('ambiguous_request', 'not exactly one well-formed host')
  const { pin } = request
  const served = pin === undefined ? index.hosts.find(host) : index.hosts.pinned(pin, host)
  if (served === undefined) {
    return deny('unknown_host', `no ProtectedApi ${pin === undefined ? 'serves this host' : 'is what the proxy pins'}`)
  }
  return { request, index, now, method, target, head, served, match: served.api.routes.match(method, target.segments) }
}

/** Where credentials are neither looked at nor counted. */
export const isOpen = ({ match, head, method, served }: Reading): boolean =>
  match?.route.public === true || (served.api.preflight === 'allow' && method === 'OPTIONS' && head.requestedMethod)

/** Which key the request presents; a wrong secret, a replaced one and an unknown key are told apart by nothing. */
export function identify({ head, target, served, index, now }: Reading): Entry | Denial {
  const found = presented({ authorization: head.authorization, apiKey: head.apiKey, query: target.query })
  switch (found.kind) {
    case 'none':
      return deny('missing_credential', 'no credential')
    case 'ambiguous':
      return deny('ambiguous_credential', found.why)
    case 'token':
      return served.api.acceptsTokens
        ? deny('invalid_token', 'access tokens are not yet verified')
        : deny('invalid_key', 'a Bearer that is no key, where no tokens are accepted')
    case 'malformed':
      return deny('invalid_key', found.why)
    case 'key':
      return lookUp(found.credential, index.findKey, now)
  }
}

function lookUp(credential: Credential, findKey: FindKey, now: number): Entry | Denial {
  const entry = findKey(digestOf(credential))
  if (entry === undefined) return deny('invalid_key', 'no key has this digest')
  if (entry.record.keyId !== credential.keyId) return deny('invalid_key', 'the digest belongs to another key ID')
  if (entry.validUntil !== undefined && entry.validUntil <= now) return deny('invalid_key', 'a replaced secret')
  return entry
}

/** The rest of the table for a key that is known. */
export function judge(reading: Reading, record: KeyRecord): Ruling {
  const facts = new Facts(reading, record)
  for (const { check } of ORDER) {
    const objection = check(facts)
    if (objection !== undefined) return refuse({ kind: 'deny', ...objection }, record)
  }
  if (isStale(reading))
    return refuse(deny('unavailable', 'what is in force is older than the ProtectedApi allows'), record)
  const { narrowed } = facts
  const granted = allow(reading, record, narrowed !== undefined && 'header' in narrowed ? narrowed : undefined)
  if (record.limits.length === 0) return granted
  const failure = reading.served.api.limitFailure
  return { kind: 'metered', record, limits: record.limits, failure, granted }
}

/** Asked last: what takes away may be among the news that did not come, and whoever is refused anyway is told why. */
function isStale({ served: { api }, index }: Reading): boolean {
  const { refusedWhenStaleMs } = api
  return refusedWhenStaleMs !== undefined && (index.staleMs?.() ?? 0) > refusedWhenStaleMs
}

/** Turns a ruling and what became of its limits into the answer. @param nowUs microseconds since 1970 */
export function settle(ruling: Ruling, spent: Spent, nowUs: number): Verdict {
  if (ruling.kind !== 'metered') return ruling
  const caller = limitFields(spent.left, nowUs)
  if (spent.ok) return { ...ruling.granted, caller }
  return {
    ...deny(spent.code, 'no request is left'),
    record: ruling.record,
    caller: [...caller, 'retry-after', retryAfter(spent.retryUs)],
  }
}

function allow({ request, index, match }: Reading, record?: KeyRecord, narrowing?: Narrowing): Allow {
  const upstream = upstreamFields({
    record,
    tree: index.tree,
    visible: narrowing?.header ?? '',
    requestId: request.requestId,
  })
  return { kind: 'allow', record, match, upstream, narrowing, caller: NO_FIELDS }
}
