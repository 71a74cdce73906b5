/** PURE: what is in force of a key's digests at a moment: what its ApiKey takes away waits for no writing. */
import { overlapEnd, versionDue } from '../core/version.ts'
import type { ApiKeySpec } from './api-key.ts'
import type { KeySecret, PreviousDigest } from './key-secret.ts'

/** What of a key's standing depends on nothing but the manifest, what is kept, and the time. */
export type Standing = {
  readonly spec: ApiKeySpec
  readonly secret: KeySecret | undefined
  readonly now: number
  readonly expired: boolean
}

export type TakeAway =
  /** Every secret there was is dead at once, whether its successor is claimed or not. */
  | { readonly kind: 'retire' }
  /** The replaced secret works until then at most. */
  | { readonly kind: 'endOverlap'; readonly at: number }

export function standingOf(spec: ApiKeySpec, secret: KeySecret | undefined, now: number): Standing {
  return { spec, secret, now, expired: (spec.expiresAt ?? Number.POSITIVE_INFINITY) <= now }
}

/** What is in force of what is kept, from this moment on. */
export function secretInForce(spec: ApiKeySpec, secret: KeySecret, now: number): KeySecret {
  const change = takeAway(standingOf(spec, secret, now))
  if (change === undefined) return secret
  if (change.kind === 'retire') return retired(secret)
  return { ...secret, previous: endedAt(secret.previous, change.at, now) }
}

/** What the manifest takes away of what is kept. */
export function takeAway(standing: Standing): TakeAway | undefined {
  if (isReplacedWithoutOverlap(standing)) return { kind: 'retire' }
  const at = overlapBound(standing)
  return at === undefined ? undefined : { kind: 'endOverlap', at }
}

/** Whether what an ApiKey imports is, or is to be, in force; suspending it takes nothing back. */
export const mayImport = ({ spec, expired }: Pick<Standing, 'spec' | 'expired'>): boolean =>
  spec.delivery.kind === 'imported' && spec.state !== 'Revoked' && !expired

/** An imported key counts its replaced digests itself; the versions of a minted one follow from its manifest. */
export const retired = (secret: KeySecret): KeySecret => ({
  ...secret,
  rotations: secret.rotations + (secret.origin === 'imported' && secret.current !== undefined ? 1 : 0),
  current: undefined,
  previous: undefined,
})

export const endedAt = (previous: PreviousDigest | undefined, at: number, now: number): PreviousDigest | undefined =>
  previous && at > now ? { ...previous, validUntil: at } : undefined

/** Asked for by a person: a rotation by schedule keeps the old secret until the new one has arrived. */
function isReplacedWithoutOverlap(standing: Standing): boolean {
  const { spec, secret, expired } = standing
  if (secret?.current === undefined || spec.overlapMs > 0) return false
  if (spec.delivery.kind === 'imported') {
    const isSameKey = secret.origin === 'imported' && secret.keyId === spec.delivery.keyId
    return isSameKey && mayImport(standing) && spec.delivery.digest !== secret.current.digest
  }
  if (secret.origin === 'imported' || spec.state === 'Revoked' || expired) return false
  return secret.current.version < versionDue(spec.regenerate, secret.rotations)
}

/** Until when the replaced secret works at most, by what the manifest says now; undefined: nothing is to be changed. */
function overlapBound({ spec, secret, now }: Standing): number | undefined {
  if (secret?.current === undefined || secret.previous === undefined) return undefined
  const { validUntil } = secret.previous
  const handedOverAt = secret.current.claimedAt
  if (validUntil === undefined || handedOverAt === undefined) {
    // a rotation keeps the old secret until the new one has arrived; a person who asks for no overlap wants it dead
    return spec.overlapMs === 0 && spec.rotation === undefined ? now : undefined
  }
  const bound = Math.min(validUntil, overlapEnd({ handedOverAt, overlapMs: spec.overlapMs, expiresAt: spec.expiresAt }))
  return bound < validUntil || bound <= now ? bound : undefined
}
