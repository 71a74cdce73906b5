/** An ApiKey and what is kept of it become what the index knows: the ApiKey can only take away from what was granted. */
import type { CapInForce } from '../core/cap.ts'
import type { Digest } from '../core/credential.ts'
import { effective } from '../core/permission.ts'
import type { KeyRecord, KeyState } from '../core/record.ts'
import type { ApiKey } from './api-key.ts'
import type { KeySecret } from './key-secret.ts'

/** A record and the digests that lead to it. */
export type Indexed = {
  readonly record: KeyRecord
  readonly current: Digest | undefined
  /** validUntil: milliseconds since 1970; Infinity for as long as the key itself. */
  readonly previous: { readonly digest: Digest; readonly validUntil: number } | undefined
}

/** @param cap undefined: nobody caps the key */
export function recordOf(apiKey: ApiKey, secret: KeySecret, cap: CapInForce | undefined): Indexed {
  const { spec, namespace, name } = apiKey
  const state: KeyState = apiKey.deleting === true ? 'Deleted' : spec.state
  const { current, previous } = secret
  return {
    record: {
      keyId: secret.keyId,
      name: `${namespace}/${name}`,
      accessNamespace: spec.accessNamespace,
      environment: spec.environment,
      asked: spec.permissions,
      held: effective(spec.permissions, cap?.held),
      heldWithin: cap?.heldWithin,
      customers: spec.customers,
      expiresAt: spec.expiresAt,
      state,
      allowedCidrs: spec.allowedCidrs,
      limits: spec.limits,
    },
    current: current?.digest,
    previous: previous && {
      digest: previous.digest,
      validUntil: previous.validUntil ?? spec.expiresAt ?? Number.POSITIVE_INFINITY,
    },
  }
}
