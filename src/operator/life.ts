/** PURE: where a key stands in its life, worked out once from the world for plan, claims and status. */
import { type Cap, NOTHING_HELD } from '../core/cap.ts'
import { isHandedOver, versionDue } from '../core/version.ts'
import type { ApiKeySpec } from '../resources/api-key.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { mayImport, type Standing, standingOf } from '../resources/secret-in-force.ts'
import type { Declared, People, World } from './world.ts'

export type FailureReason = 'NotAttested' | 'Conflict' | 'SecretMissing' | 'SecretUnreadable' | 'DeliveryChanged'
export type ConflictReason = 'KeyIdRetired' | 'KeyIdHeld' | 'DigestHeld'

/** Why a key can't become what its manifest asks; what was in force before goes on. */
export type Failure = {
  readonly reason: FailureReason
  readonly conflict: ConflictReason | undefined
  readonly message: string
}

export type Life = {
  readonly declared: Declared
  readonly spec: ApiKeySpec
  /** As observed. */
  readonly secret: KeySecret | undefined
  readonly failure: Failure | undefined
  readonly now: number
  readonly expired: boolean
  /** A schedule, not a person, makes the version due. */
  readonly rotating: boolean
  /** The version that is, or is to be, in force. */
  readonly due: number
  /** How many rotations that version counts. */
  readonly rotations: number
}

export function lifeOf(world: World, declared: Declared, now: number): Life {
  const { spec } = declared.apiKey
  const standing = standingOf(spec, world.held?.kind === 'read' ? world.held.secret : undefined, now)
  const failure = failureOf(world, standing)
  const nextRotation = rotationAt({ ...standing, failure, mayRotate: mayRotate(world, declared) })
  const rotating = nextRotation !== undefined && nextRotation <= now
  const rotations = (standing.secret?.rotations ?? 0) + (rotating ? 1 : 0)
  const due = spec.delivery.kind === 'imported' ? 1 + rotations : versionDue(spec.regenerate, rotations)
  return { ...standing, declared, failure, rotating, rotations, due }
}

/** How far the key goes; undefined: nobody caps it. What nobody is known to have made goes nowhere. */
export const capOf = ({ unattested, cap }: People): Cap | undefined => (unattested === undefined ? cap : NOTHING_HELD)

/** There is somebody to receive a new version, and the key is there to stay. */
export const mayRotate = ({ automatic }: World, { apiKey }: Declared): boolean =>
  automatic !== undefined && apiKey.deleting !== true

type Rotating = Standing & { readonly failure: Failure | undefined; readonly mayRotate: boolean }

/** When a schedule makes the next version due: not before this one arrived, and never without somebody to receive it. */
export function rotationAt({ spec, secret, failure, expired, mayRotate }: Rotating): number | undefined {
  if (spec.rotation === undefined || spec.delivery.kind !== 'workloadSecret' || !mayRotate) return undefined
  if (spec.state !== 'Active' || expired || failure !== undefined || secret?.current?.claimedAt === undefined)
    return undefined
  if (secret.current.version !== versionDue(spec.regenerate, secret.rotations)) return undefined
  return secret.current.issuedAt + spec.rotation.everyMs
}

/** Whether the version that is due has reached its owner. */
export const isClaimed = ({ secret, due }: Pick<Life, 'secret' | 'due'>): boolean =>
  secret?.current !== undefined && secret.current.version >= due && isHandedOver(secret.current)

/** Whether a new version may be made at all; a suspended key waits until it is active again. */
export const mayMint = ({ spec, declared, expired, failure }: Life): boolean =>
  declared.apiKey.deleting !== true &&
  spec.delivery.kind !== 'imported' &&
  spec.state === 'Active' &&
  !expired &&
  failure === undefined

function failureOf(world: World, standing: Standing): Failure | undefined {
  const { unattested } = world.people
  return unattested === undefined ? failureOfKept(world, standing) : failed('NotAttested', notAttested(unattested))
}

const notAttested = (why: string): string =>
  `nobody is known to have made this key (${why}), so it gets no credential and may do nothing: delete it and make it again while the operator is running`

function failureOfKept({ held, taken, reported }: World, standing: Standing): Failure | undefined {
  const { spec } = standing
  const { delivery } = spec
  if (held?.kind === 'unreadable') {
    return failed(
      'SecretUnreadable',
      `what is stored for this key can't be read (${held.problem}): delete it and make it again`,
    )
  }
  if (held === undefined) {
    if (delivery.kind !== 'imported' && reported.keyId !== undefined && spec.state !== 'Revoked') {
      return failed(
        'SecretMissing',
        'the digests of this key are gone, so what was handed out is refused: delete it and make it again',
      )
    }
    return mayImport(standing) ? (conflictOfKeyId(taken.keyId) ?? conflictOfDigest(taken.digest)) : undefined
  }
  const { secret } = held
  if ((secret.origin === 'imported') !== (delivery.kind === 'imported')) {
    return failed('DeliveryChanged', `an ${secret.origin} key stays one: make a new ApiKey for the other kind`)
  }
  if (delivery.kind !== 'imported') return undefined
  if (delivery.keyId !== secret.keyId) {
    return failed('DeliveryChanged', `the key ID stays ${secret.keyId}: make a new ApiKey for ${delivery.keyId}`)
  }
  const replaced = delivery.digest !== secret.current?.digest
  return replaced && mayImport(standing) ? conflictOfDigest(taken.digest) : undefined
}

const failed = (reason: FailureReason, message: string): Failure => ({ reason, conflict: undefined, message })

const conflict = (why: ConflictReason, message: string): Failure => ({ reason: 'Conflict', conflict: why, message })

function conflictOfKeyId(taken: World['taken']['keyId']): Failure | undefined {
  if (taken === undefined) return undefined
  return taken === 'retired'
    ? conflict('KeyIdRetired', "delivery.keyId was revoked or deleted before and can't be imported again")
    : conflict('KeyIdHeld', 'delivery.keyId is in use by another ApiKey, which goes on')
}

const conflictOfDigest = (taken: World['taken']['digest']): Failure | undefined =>
  taken === undefined ? undefined : conflict('DigestHeld', 'delivery.digest is in use by another ApiKey, which goes on')
