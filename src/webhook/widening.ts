/** PURE: what of a written ApiKey must be granted by whoever writes it. What only takes away needs nobody's leave. */
import { type Cidr, isWithin } from '../core/address.ts'
import type { Limit, Quota, RateLimit } from '../core/limit.ts'
import type { Permission } from '../core/permission.ts'
import type { ApiKeySpec } from '../resources/api-key.ts'

/** What is to be reviewed, and why. */
export type Asked = {
  readonly accessNamespace: string
  readonly permissions: readonly Permission[]
  /** The fields that widen, in the order of the spec; `permissions` alone for a new key. */
  readonly widened: readonly string[]
}

type Widens = { readonly field: string; readonly widens: (before: ApiKeySpec, after: ApiKeySpec) => boolean }

const FIELDS: readonly Widens[] = [
  // immutable where the API server is asked; here so that nothing hangs on that
  { field: 'accessNamespace', widens: (before, after) => before.accessNamespace !== after.accessNamespace },
  { field: 'environment', widens: (before, after) => before.environment !== after.environment },
  { field: 'permissions', widens: (before, after) => !isSubset(after.permissions, before.permissions) },
  { field: 'customers', widens: (before, after) => widensList(before.customers, after.customers, isSubset) },
  { field: 'expiresAt', widens: (before, after) => endOf(after) > endOf(before) },
  { field: 'rateLimit', widens: (before, after) => widensRate(rateOf(before.limits), rateOf(after.limits)) },
  { field: 'quota', widens: (before, after) => widensQuota(quotaOf(before.limits), quotaOf(after.limits)) },
  { field: 'allowedCIDRs', widens: (before, after) => widensList(before.allowedCidrs, after.allowedCidrs, areWithin) },
  { field: 'state', widens: (before, after) => STRICTNESS[after.state] < STRICTNESS[before.state] },
  { field: 'regenerate', widens: (before, after) => before.regenerate !== after.regenerate },
  { field: 'overlap', widens: (before, after) => after.overlapMs > before.overlapMs },
  { field: 'rotation', widens: (before, after) => before.rotation?.everyMs !== after.rotation?.everyMs },
  { field: 'delivery', widens: (before, after) => !isSameDelivery(before.delivery, after.delivery) },
]

/**
 * All of the key's permissions as soon as anything widens: whoever opens a key further answers for all that it then may
 * do, or could open one for somebody else that is more than they are.
 * @param before undefined: the key is new
 */
export function asked(before: ApiKeySpec | undefined, after: ApiKeySpec): Asked | undefined {
  const { accessNamespace, permissions } = after
  if (before === undefined) return { accessNamespace, permissions, widened: ['permissions'] }
  const widened = FIELDS.flatMap(({ field, widens }) => (widens(before, after) ? [field] : []))
  return widened.length === 0 ? undefined : { accessNamespace, permissions, widened }
}

const endOf = ({ expiresAt }: ApiKeySpec): number => expiresAt ?? Number.POSITIVE_INFINITY

const STRICTNESS = { Active: 0, Suspended: 1, Revoked: 2 } as const

const isSubset = (inner: readonly string[], outer: readonly string[]): boolean =>
  inner.every((one) => outer.includes(one))

/** undefined: not limited at all. */
function widensList<T>(
  before: readonly T[] | undefined,
  after: readonly T[] | undefined,
  isInside: (inner: readonly T[], outer: readonly T[]) => boolean,
): boolean {
  if (before === undefined) return false
  return after === undefined || !isInside(after, before)
}

/** Block by block: two blocks that together are a third are not recognised as it. */
const areWithin = (inner: readonly Cidr[], outer: readonly Cidr[]): boolean =>
  inner.every((one) => outer.some((other) => isWithin(one, other)))

const rateOf = (limits: readonly Limit[]): RateLimit | undefined => limits.find((limit) => limit.kind === 'rate')
const quotaOf = (limits: readonly Limit[]): Quota | undefined => limits.find((limit) => limit.kind === 'quota')

function widensRate(before: RateLimit | undefined, after: RateLimit | undefined): boolean {
  if (before === undefined) return false
  if (after === undefined || after.burst > before.burst) return true
  // cross-multiplied, since a quotient could hide the difference of two rates
  return BigInt(after.requests) * BigInt(before.perUs) > BigInt(before.requests) * BigInt(after.perUs)
}

const widensQuota = (before: Quota | undefined, after: Quota | undefined): boolean =>
  before !== undefined && (after?.period !== before.period || after.requests > before.requests)

type Delivery = ApiKeySpec['delivery']

function isSameDelivery(a: Delivery, b: Delivery): boolean {
  if (a.kind === 'workloadSecret' && b.kind === 'workloadSecret') return a.secretName === b.secretName
  if (a.kind === 'imported' && b.kind === 'imported') return a.digest === b.digest && a.keyId === b.keyId
  return a.kind === b.kind
}
