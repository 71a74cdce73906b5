/** PURE: who of those that wait receives the version that is due, and why the others are denied. */
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

const alreadyClaimed: Objecting = (_claim, life) => (isClaimed(life) ? taken(life.due) : undefined)

const taken = (version: number): Objection => ({
  reason: 'AlreadyClaimed',
  message: `version ${version} was claimed before; raise spec.regenerate for a new one`,
})

/** The first objection is the answer. */
const OBJECTIONS: readonly Objecting[] = [ownFault, notClaimable, inactive, expired, superseded, alreadyClaimed]

export type Judged = { readonly winner: WaitingClaim | undefined; readonly denied: readonly Denied[] }

/** The oldest claim to which nothing objects wins, unless somebody else has the version already. */
export function judge(claims: readonly WaitingClaim[], life: Life, givenElsewhere: 'given' | 'free'): Judged {
  let winner: WaitingClaim | undefined
  const denied: Denied[] = []
  for (const claim of claims) {
    const found = OBJECTIONS.map((objecting) => objecting(claim, life)).find((one) => one !== undefined)
    const objection = found ?? (winner !== undefined || givenElsewhere === 'given' ? taken(life.due) : undefined)
    if (objection === undefined) winner = claim
    else denied.push({ claim: claim.name, ...objection })
  }
  return { winner, denied }
}

/** Claims of a key that is not there. */
export const denyAll = (claims: readonly WaitingClaim[]): readonly Denied[] =>
  claims.map(({ name }) => ({ claim: name, reason: 'KeyNotFound', message: 'there is no such ApiKey' }))
