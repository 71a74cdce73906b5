/** PURE: who of those that wait receives the version that is due, and why the others are denied. */
import type { Cap } from '../core/cap.ts'
import { serviceAccountOf } from '../core/person.ts'
import { isClaimed, type Life } from './life.ts'
import type { WaitingClaim } from './world.ts'

export type ClaimDenial =
  | 'AlreadyClaimed'
  | 'KeyInactive'
  | 'KeyExpired'
  | 'NotPermitted'
  | 'KeyNotFound'
  | 'NotClaimable'
  | 'VersionSuperseded'
  | 'InvalidKey'

export type Denied = { readonly claim: string; readonly reason: ClaimDenial; readonly message: string }

type Objection = Omit<Denied, 'claim'>

type Objecting = (claim: WaitingClaim, life: Life) => Objection | undefined

const ownFault: Objecting = ({ objection, unattested }) => {
  switch (objection) {
    case undefined:
      return unattested === undefined ? undefined : { reason: 'NotPermitted', message: notAttested(unattested) }
    case 'InvalidKey':
      return { reason: 'InvalidKey', message: 'publicJwk is no public key that a credential can be sealed to' }
    case 'KeyNotFound':
      return {
        reason: 'KeyNotFound',
        message: 'the ApiKey that was there when this claim was made is gone: claim anew',
      }
  }
}

const notAttested = (why: string): string =>
  `nobody is known to have made this claim (${why}): delete it and make it again while the operator is running`

const notClaimable: Objecting = (_claim, { spec, failure }) => {
  if (failure?.reason === 'NotAttested') return { reason: 'NotPermitted', message: failure.message }
  if (failure !== undefined) return { reason: 'NotClaimable', message: failure.message }
  switch (spec.delivery.kind) {
    case 'claim':
      return undefined
    case 'workloadSecret':
      return { reason: 'NotClaimable', message: `the credential goes to the Secret ${spec.delivery.secretName}` }
    case 'imported':
      return { reason: 'NotClaimable', message: 'the key was made elsewhere: only its digest is known here' }
  }
}

const inactive: Objecting = (_claim, { spec, declared }) => {
  const deleting = declared.apiKey.deleting === true
  if (spec.state === 'Active' && !deleting) return undefined
  return { reason: 'KeyInactive', message: `the key is ${deleting ? 'being deleted' : spec.state.toLowerCase()}` }
}

const expired: Objecting = (_claim, life) =>
  life.expired ? { reason: 'KeyExpired', message: 'the key has expired' } : undefined

const superseded: Objecting = ({ version, dueWhenMade }, { due }) => {
  if (version !== undefined && version > due) {
    return { reason: 'NotClaimable', message: `version ${version} is not due: the key is at version ${due}` }
  }
  const meant = version ?? dueWhenMade ?? due
  return meant === due
    ? undefined
    : { reason: 'VersionSuperseded', message: `version ${meant} was superseded by version ${due}` }
}

const alreadyClaimed: Objecting = (_claim, life) => (isClaimed(life) ? takenBefore(life.due) : undefined)

const takenBefore = (version: number): Objection => ({
  reason: 'AlreadyClaimed',
  message: `version ${version} was claimed before; raise spec.regenerate for a new one`,
})

/** The first objection is the answer. */
const OBJECTIONS: readonly Objecting[] = [ownFault, notClaimable, inactive, expired, superseded, alreadyClaimed]

export type Judged = { readonly winner: WaitingClaim | undefined; readonly denied: readonly Denied[] }

export type Judging = {
  readonly life: Life
  /** given: somebody else has the version already, or is to have it. */
  readonly due: 'given' | 'free'
  /** Of those who are behind the key already; undefined: nobody caps it. */
  readonly cap: Cap | undefined
}

/**
 * The oldest claim to which nothing objects wins, unless somebody else has the version already. One that is undecided neither
 * wins nor is denied.
 */
export function judge(claims: readonly WaitingClaim[], { life, due, cap }: Judging): Judged {
  let winner: WaitingClaim | undefined
  const denied: Denied[] = []
  for (const claim of claims) {
    const found = OBJECTIONS.map((objecting) => objecting(claim, life)).find((one) => one !== undefined)
    const taken = found ?? (winner !== undefined || due === 'given' ? takenBefore(life.due) : undefined)
    if (taken === undefined && isUndecided(claim)) continue
    const objection = taken ?? holdsLess(claim, cap, life)
    if (objection === undefined) winner = claim
    else denied.push({ claim: claim.name, ...objection })
  }
  return { winner, denied }
}

/** Its turn comes when those before it have been answered, or when it is known who made it and how far they go. */
const isUndecided = ({ unasked, undecidedUntil }: WaitingClaim): boolean =>
  unasked === true || undecidedUntil !== undefined

/** What the others behind the key lack as well keeps nobody from receiving it. */
function holdsLess({ claimant, cap }: WaitingClaim, before: Cap | undefined, { spec }: Life): Objection | undefined {
  if (before === undefined || cap === undefined) return undefined
  const missing = before.held.filter((permission) => !cap.held.includes(permission))
  if (missing.length === 0) return undefined
  const gone =
    serviceAccountOf({ username: claimant }) === undefined ? '' : ', or is not the ServiceAccount that it was'
  const message = `${claimant} does not hold ${missing.join(', ')} on ${spec.accessNamespace} any more${gone}: whoever claims a key holds all that it may do; claim anew when that is so`
  return { reason: 'NotPermitted', message }
}

/** Claims of a key that is not there. */
export const denyAll = (claims: readonly WaitingClaim[]): readonly Denied[] =>
  claims.map(({ name }) => ({ claim: name, reason: 'KeyNotFound', message: 'there is no such ApiKey' }))
