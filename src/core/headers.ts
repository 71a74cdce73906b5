/** What the upstream learns of a caller, and what the caller learns of its limits; each as name, value, name, value … */
import type { Left } from './limit.ts'
import { quotaWindow } from './limit.ts'
import type { AccessNamespace, NamespaceTree } from './namespace.ts'
import type { KeyRecord } from './record.ts'

export type Fields = readonly string[]

export type Grant = {
  readonly record: KeyRecord | undefined
  readonly tree: NamespaceTree
  /** The value of `x-keyward-visible`; empty where the route is no list. */
  readonly visible: string
  readonly requestId: string
}

/** Every `x-keyward-*` header there is, in the order in which they are sent. */
export const UPSTREAM_HEADERS = [
  'x-keyward-key-id',
  'x-keyward-key-name',
  'x-keyward-environment',
  'x-keyward-namespace',
  'x-keyward-namespace-type',
  'x-keyward-organization',
  'x-keyward-application',
  'x-keyward-workspace',
  'x-keyward-user-group',
  'x-keyward-permissions',
  'x-keyward-customers',
  'x-keyward-visible',
  'x-keyward-principal',
  'x-keyward-subject',
  'x-keyward-request-id',
] as const

/** Always all of them, empty where one does not apply: a header left out would let a caller's own through. */
export function upstreamFields({ record, tree, visible, requestId }: Grant): Fields {
  if (record === undefined) return compose(ANONYMOUS, visible, requestId)
  return compose(
    {
      keyId: record.keyId,
      name: record.name,
      environment: record.environment,
      own: tree.get(record.accessNamespace),
      ids: tree.idsUp(record.accessNamespace),
      permissions: record.held.join(','),
      customers: record.customers === undefined ? '*' : record.customers.join(','),
      principal: 'key',
    },
    visible,
    requestId,
  )
}

type Holder = {
  readonly keyId: string
  readonly name: string
  readonly environment: string
  readonly own: AccessNamespace | undefined
  /** As NamespaceTree.idsUp gives them. */
  readonly ids: readonly string[]
  readonly permissions: string
  readonly customers: string
  readonly principal: 'key' | 'token' | 'anonymous'
}

const ANONYMOUS: Holder = {
  keyId: '',
  name: '',
  environment: '',
  own: undefined,
  ids: [],
  permissions: '',
  customers: '',
  principal: 'anonymous',
}

function compose(holder: Holder, visible: string, requestId: string): Fields {
  const { own, ids } = holder
  return [
    'x-keyward-key-id',
    holder.keyId,
    'x-keyward-key-name',
    holder.name,
    'x-keyward-environment',
    holder.environment,
    'x-keyward-namespace',
    own?.externalId ?? '',
    'x-keyward-namespace-type',
    own?.type ?? '',
    'x-keyward-organization',
    ids[0] ?? '',
    'x-keyward-application',
    ids[1] ?? '',
    'x-keyward-workspace',
    ids[2] ?? '',
    'x-keyward-user-group',
    ids[3] ?? '',
    'x-keyward-permissions',
    holder.permissions,
    'x-keyward-customers',
    holder.customers,
    'x-keyward-visible',
    visible,
    'x-keyward-principal',
    holder.principal,
    'x-keyward-subject',
    '',
    'x-keyward-request-id',
    requestId,
  ]
}

const seconds = (us: number): number => Math.ceil(us / 1_000_000)

/** RFC 9651 §3.3.1: an Integer has at most fifteen digits. */
const integer = (count: number): number => Math.min(count, 999_999_999_999_999)

/** RateLimit-Policy and RateLimit as in draft-ietf-httpapi-ratelimit-headers-11 (RFC 9651 lists). */
export function limitFields(left: readonly Left[], nowUs: number): Fields {
  if (left.length === 0) return []
  const policies = left.map(({ limit }) => {
    if (limit.kind === 'rate') return `"rate";q=${limit.requests};w=${seconds(limit.perUs)}`
    const { startUs, endUs } = quotaWindow(limit.period, nowUs)
    return `"quota";q=${integer(limit.requests)};w=${seconds(endUs - startUs)}`
  })
  const states = left.map(
    ({ limit, remaining, resetUs }) => `"${limit.kind}";r=${integer(remaining)};t=${seconds(resetUs)}`,
  )
  return ['ratelimit-policy', policies.join(', '), 'ratelimit', states.join(', ')]
}

/** Retry-After in whole seconds, rounded up and at least one (RFC 9110 §10.2.3). */
export const retryAfter = (retryUs: number): string => String(Math.max(1, seconds(retryUs)))
