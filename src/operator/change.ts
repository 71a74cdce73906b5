/** PURE: what is kept of a key, after one change or one stage of a hand-over. */
import type { Digest, KeyId } from '../core/credential.ts'
import { unreachable } from '../core/parsed.ts'
import { isHandedOver, overlapEnd } from '../core/version.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { endedAt, retired } from '../resources/secret-in-force.ts'
import type { Life } from './life.ts'
import type { Change } from './plan.ts'
import type { Declared } from './world.ts'

type Terms = Pick<Life, 'declared' | 'spec' | 'now'>

/** Before anything is kept: a key ID and no secret. */
export const newSecret = ({ uid, apiKey }: Declared, keyId: KeyId): KeySecret => ({
  keyId,
  uid,
  name: `${apiKey.namespace}/${apiKey.name}`,
  origin: apiKey.spec.delivery.kind === 'imported' ? 'imported' : 'minted',
  rotations: 0,
  current: undefined,
  previous: undefined,
})

/** After one change; a change that does not fit what is kept changes nothing. */
export function changed(secret: KeySecret | undefined, change: Change, terms: Terms): KeySecret | undefined {
  switch (change.kind) {
    case 'importDigest':
      return imported(secret ?? newSecret(terms.declared, change.keyId), change, terms)
    case 'register':
    case 'grant':
      return secret
    case 'retire':
      return secret && retired(secret)
    case 'endOverlap':
      return secret && { ...secret, previous: endedAt(secret.previous, change.at, terms.now) }
    case 'confirm':
      return secret && handedOver(secret, { by: change.claimedBy, at: change.at }, terms)
    default:
      return unreachable(change)
  }
}

type Imported = { readonly digest: Digest; readonly claimedBy: string }

/** The key is in its owner's hands already: storing its digest is the hand-over. */
function imported(secret: KeySecret, { digest, claimedBy }: Imported, { spec, now }: Terms): KeySecret {
  const replaced = secret.current
  const rotations = secret.rotations + (replaced === undefined ? 0 : 1)
  const current = { version: 1 + rotations, digest, issuedAt: now, claimedBy: undefined, claimedAt: undefined }
  const previous = replaced && { version: replaced.version, digest: replaced.digest, validUntil: undefined }
  return handedOver({ ...secret, rotations, current, previous }, { by: claimedBy, at: now }, { spec })
}

export type Minted = {
  readonly version: number
  readonly rotations: number
  readonly digest: Digest
  readonly at: number
}

/** A new version is stored and not yet handed over: what its owner has works on, and never more than two secrets do. */
export function minted(secret: KeySecret, { version, rotations, digest, at }: Minted): KeySecret {
  const { current } = secret
  // a version that never arrived has nobody to keep it for; what worked before it does so on
  const previous =
    current !== undefined && isHandedOver(current)
      ? { version: current.version, digest: current.digest, validUntil: undefined }
      : secret.previous
  return {
    ...secret,
    rotations,
    current: { version, digest, issuedAt: at, claimedBy: undefined, claimedAt: undefined },
    previous,
  }
}

type Arrival = { readonly by: string; readonly at: number }

/** The current version has arrived: from now on the overlap runs. */
export function handedOver(secret: KeySecret, { by, at }: Arrival, { spec }: Pick<Terms, 'spec'>): KeySecret {
  if (secret.current === undefined) return secret
  const validUntil = overlapEnd({ handedOverAt: at, overlapMs: spec.overlapMs, expiresAt: spec.expiresAt })
  return {
    ...secret,
    current: { ...secret.current, claimedBy: by, claimedAt: at },
    previous: endedAt(secret.previous, validUntil, at),
  }
}
