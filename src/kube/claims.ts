/** An ApiKeyClaim as it lies on the API server: what it asks for, and how far it has come. */
import type { PublicJwk } from '../resources/api-key-claim.ts'
import { parseManifest } from '../resources/manifest.ts'
import { isObject } from '../resources/problem.ts'
import type { KubeObject } from './objects.ts'
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
  }
}

function deliveredOf(status: Readonly<Record<string, unknown>>): Claim['delivered'] {
  const { jwe, version } = status
  if (typeof jwe !== 'string' || typeof version !== 'number') return undefined
  const at = Date.parse(String(conditionIn(status, 'Delivered')?.lastTransitionTime))
  return { version, at: Number.isNaN(at) ? undefined : at }
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

/** Whether a claim may have been there before the last regeneration: within one second nobody can tell, so it counts as such. */
export const mayPrecedeRegeneration = (claim: Claim, apiKey: KubeObject, regenerate: number): boolean =>
  regenerate > 0 && claim.createdAt <= regenerateWrittenAt(apiKey)
