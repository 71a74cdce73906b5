/** An ApiKeyClaim as it lies on the API server: what it asks for, and how far it has come. */
import type { PublicJwk } from '../resources/api-key-claim.ts'
import { parseManifest } from '../resources/manifest.ts'
import { isObject } from '../resources/problem.ts'
import type { KubeObject } from './objects.ts'
import { isLater } from './resource-version.ts'
import { isOnCurve } from './seal.ts'

export type Claim = {
  readonly object: KubeObject
  /** `namespace/name` of the ApiKey that it asks for. */
  readonly apiKey: string
  /** Whole seconds, in milliseconds since 1970. */
  readonly createdAt: number
  readonly version: number | undefined
  /** undefined: nothing can be sealed to what it names. */
  readonly publicJwk: PublicJwk | undefined
  readonly delivered: { readonly version: number; readonly at: number | undefined } | undefined
  /** Delivered or denied: there is nothing left to do but to take it away. */
  readonly finished: boolean
  /** undefined: it is not, or it does not say when. */
  readonly finishedAt: number | undefined
}

/** undefined: it does not even say for which ApiKey. */
export function readClaim(object: KubeObject): Claim | undefined {
  const { metadata, spec } = object
  const { managedFields: _managedFields, ...kept } = metadata
  const { name, namespace = '', creationTimestamp } = metadata
  if (!isObject(spec) || typeof spec.apiKey !== 'string') return undefined
  const parsed = parseManifest({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKeyClaim',
    metadata: { name, namespace },
    spec,
  })
  const claim = parsed.ok && parsed.manifest.kind === 'ApiKeyClaim' ? parsed.manifest.spec : undefined
  const status = isObject(object.status) ? object.status : {}
  return {
    object: { ...object, metadata: kept },
    apiKey: `${namespace}/${spec.apiKey}`,
    createdAt: Date.parse(creationTimestamp),
    version: claim?.version,
    publicJwk: claim && isOnCurve(claim.publicJwk) ? claim.publicJwk : undefined,
    delivered: deliveredOf(status),
    finished: conditionIn(status, 'Finished')?.status === 'True',
    finishedAt: sinceOf(status, 'Finished'),
  }
}

function deliveredOf(status: Readonly<Record<string, unknown>>): Claim['delivered'] {
  const { jwe, version } = status
  if (typeof jwe !== 'string' || typeof version !== 'number') return undefined
  return { version, at: sinceOf(status, 'Delivered') }
}

/** Since when a condition is what it is. */
function sinceOf(status: Readonly<Record<string, unknown>>, type: string): number | undefined {
  const at = Date.parse(String(conditionIn(status, type)?.lastTransitionTime))
  return Number.isNaN(at) ? undefined : at
}

function conditionIn(status: Readonly<Record<string, unknown>>, type: string) {
  const conditions = Array.isArray(status.conditions) ? status.conditions : []
  return conditions.filter(isObject).find((condition) => condition.type === type)
}

/** Of two claims of one second the name decides, so that everybody sees the same order. */
export const olderFirst = (a: Claim, b: Claim): number =>
  a.createdAt - b.createdAt || (a.object.metadata.name < b.object.metadata.name ? -1 : 1)

/**
 * When somebody last wrote `spec.regenerate`, as far as the server keeps that; in milliseconds since 1970, cut to whole
 * seconds. Infinity: it can't be told.
 */
export function regenerateWrittenAt({ metadata }: KubeObject): number {
  const managed = metadata.managedFields?.filter(({ subresource }) => (subresource ?? '') === '') ?? []
  const writers = managed.filter(({ fieldsV1 }) => isObject(fieldsV1) && isObject(fieldsV1['f:spec']))
  const owners = writers.filter(({ fieldsV1 }) => ownsRegenerate(fieldsV1))
  const times = (owners.length > 0 ? owners : writers).map(({ time }) => Date.parse(time ?? ''))
  return times.length === 0 || times.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...times)
}

const ownsRegenerate = (fields: unknown): boolean =>
  isObject(fields) && isObject(fields['f:spec']) && Object.hasOwn(fields['f:spec'], 'f:regenerate')

/** resourceVersions; undefined: that writing was not seen. */
export type Sights = {
  /** Of the ApiKey, the last time that it was regenerated or somewhat later. */
  readonly regeneratedAt: string | undefined
  /** Of the claim, when it was made. */
  readonly claimedAt: string | undefined
}

/** Whether a claim may have been there before the last regeneration: where that can't be told it counts as such. */
export function mayPrecedeRegeneration(
  claim: Claim,
  apiKey: KubeObject,
  { regeneratedAt, claimedAt }: Sights,
): boolean {
  // what was never edited is as it was made
  if (regenerateOf(apiKey) === 0 || apiKey.metadata.generation === 1) return false
  const writtenAt = regenerateWrittenAt(apiKey)
  if (Number.isFinite(writtenAt) && claim.createdAt !== writtenAt) return claim.createdAt < writtenAt
  // within one second, and where the server does not say when, the order counts in which it wrote both
  return claimedAt === undefined || !isLater(claimedAt, regeneratedAt ?? apiKey.metadata.resourceVersion)
}

export function regenerateOf({ spec }: KubeObject): number {
  const { regenerate } = (spec ?? {}) as { readonly regenerate?: unknown }
  return typeof regenerate === 'number' ? regenerate : 0
}
