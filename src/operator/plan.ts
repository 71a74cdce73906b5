/** PURE: (world, now) -> what is to be done next for one key, its status, and when to look again. */
import type { Digest, KeyId } from '../core/credential.ts'
import { isHandedOver } from '../core/version.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import type { ApiKeyStatus } from '../resources/key-status.ts'
import { sameJson } from '../resources/same-json.ts'
import { secretInForce, type TakeAway, takeAway } from '../resources/secret-in-force.ts'
import { type Denied, denyAll, judge } from './claims.ts'
import { capOf, type Failure, isClaimed, type Life, lifeOf, mayMint, mayRotate, rotationAt } from './life.ts'
import { EXPIRING_SOON_MS, statusOf } from './status.ts'
import type { Declared, Grant, Recipient, World } from './world.ts'

/** What changes the digests that are kept; each is safe to repeat. */
export type Change =
  /** Gives a key its key ID; no secret yet. */
  | { readonly kind: 'register' }
  | { readonly kind: 'importDigest'; readonly keyId: KeyId; readonly digest: Digest; readonly claimedBy: string }
  | TakeAway
  /** What the ApiKey asks for by now is granted; the digests stay. */
  | { readonly kind: 'grant' }
  /** What was sealed for a claim before a crash has reached it. */
  | { readonly kind: 'confirm'; readonly claimedBy: string; readonly at: number }

export type HandOver = {
  readonly kind: 'handOver'
  readonly version: number
  readonly rotations: number
  readonly recipient: Recipient
}

export type Step =
  | Change
  | HandOver
  | ({ readonly kind: 'denyClaim' } & Denied)
  | { readonly kind: 'tombstone'; readonly keyId: KeyId; readonly uid: string }
  | { readonly kind: 'remove'; readonly keyId: KeyId; readonly uid: string }
  | { readonly kind: 'report'; readonly status: ApiKeyStatus }

export type Plan = {
  /** In order; a status is reported when nothing else is left to do. */
  readonly steps: readonly Step[]
  /** undefined: there are steps to be done first, or there is no ApiKey. */
  readonly status: ApiKeyStatus | undefined
  /** Milliseconds since 1970; undefined: not before something changes. */
  readonly again: number | undefined
}

export function plan(world: World, now: number): Plan {
  const buried = world.orphans.flatMap(({ uid, keyId }): Step[] => [
    { kind: 'tombstone', keyId, uid },
    { kind: 'remove', keyId, uid },
  ])
  if (world.declared === undefined) {
    const steps = [...buried, ...denyAll(world.claims).map(denial)]
    return { steps, status: undefined, again: undefined }
  }
  const life = lifeOf(world, world.declared, now)
  const steps = [...buried, ...bury(world, life), ...takingAway(life), ...grant(world), ...give(world, life)]
  const again = lookAgain(world, life)
  if (steps.length > 0) return { steps, status: undefined, again }
  const status = tellOf(world, life, undefined)
  return { steps: sameJson(status, world.reported.whole) ? [] : [{ kind: 'report', status }], status, again }
}

/** The status at a moment when not everything is done; `setback` is the code of the trouble that is in the way. */
export function statusAt(world: World, now: number, setback: string | undefined): ApiKeyStatus | undefined {
  return world.declared && tellOf(world, lifeOf(world, world.declared, now), setback)
}

function tellOf(world: World, life: Life, setback: string | undefined): ApiKeyStatus {
  const { people, automatic, workloadSecret, reported } = world
  const secret = inForceAt(life.declared, life.secret, life.now)
  return statusOf({ ...life, secret, people, automatic, workloadSecret, before: reported, setback })
}

/**
 * What is to be granted: what is asked for, as far as everybody behind the key goes; the claimant of a version too, who counts
 * from the moment that it is stored. undefined: what is declared is what is granted.
 */
export function toBeGranted({ granting, people, claims }: World, recipient?: Recipient): Grant | undefined {
  if (granting === undefined) return undefined
  const claim = recipient?.kind === 'claim' ? claims.find(({ name }) => name === recipient.claim) : undefined
  return { ...granting.asked, cap: claim === undefined ? capOf(people) : claim.cap }
}

/** Of a key that is kept already; the first writing of a key brings its grant along. */
function grant(world: World): Step[] {
  const wanted = toBeGranted(world)
  const last = world.granting?.last
  if (wanted === undefined || world.held?.kind !== 'read') return []
  return sameJson(wanted.spec, last?.spec) && sameJson(wanted.cap, last?.cap) ? [] : [{ kind: 'grant' }]
}

const denial = (denied: Denied): Step => ({ kind: 'denyClaim', ...denied })

/** A revoked key ID can't be imported again; its digests stay, so that callers are told that the key is revoked. */
function bury({ held }: World, { spec, declared }: Life): Step[] {
  if (spec.state !== 'Revoked' || held?.kind !== 'read' || held.tombstoned) return []
  return [{ kind: 'tombstone', keyId: held.secret.keyId, uid: declared.uid }]
}

/** What is in force of what is kept, from this moment on: what takes away waits for no step and no queue. */
export function inForceAt(declared: Declared, secret: KeySecret | undefined, now: number): KeySecret | undefined {
  return secret && secretInForce(declared.apiKey.spec, secret, now)
}

function takingAway(life: Life): readonly TakeAway[] {
  const change = takeAway(life)
  return change === undefined ? [] : [change]
}

function give(world: World, life: Life): Step[] {
  const { spec, secret, failure } = life
  const imported = importing(world, life)
  if (imported !== undefined) return [imported]
  const arrived = arrivalOf(world, life)
  const waiting = world.claims.filter(({ delivered }) => delivered === undefined)
  const mayGive = mayMint(life) && !isClaimed(life) && arrived === undefined
  // an older one has arrived and nothing more: whoever claims the one that is due waits until that is confirmed
  const isDueGiven = arrived !== undefined && arrived.version >= life.due
  const due = isDueGiven || world.automatic !== undefined ? 'given' : 'free'
  const { winner, denied } = judge(waiting, { life, due, cap: capOf(world.people) })
  const recipient = world.automatic ?? (winner && { kind: 'claim', claim: winner.name, claimant: winner.claimant })
  const steps: Step[] = []
  if (arrived !== undefined) steps.push({ kind: 'confirm', claimedBy: arrived.by, at: arrived.at })
  else if (mayGive && recipient !== undefined) {
    steps.push({ kind: 'handOver', version: life.due, rotations: life.rotations, recipient })
  } else if (secret === undefined && failure === undefined && spec.delivery.kind !== 'imported' && isAlive(life)) {
    steps.push({ kind: 'register' })
  }
  return [...steps, ...denied.map(denial)]
}

type Arrived = { readonly by: string; readonly at: number; readonly version: number }

/** The version that is stored and not confirmed, if it has reached its owner all the same and is not about to die. */
function arrivalOf({ claims, arrival }: World, life: Life): Arrived | undefined {
  const { current } = life.secret ?? {}
  if (current === undefined || isHandedOver(current) || takeAway(life)?.kind === 'retire') return undefined
  const { version } = current
  const sealed = claims.find(({ delivered }) => delivered?.version === version)
  if (sealed?.delivered !== undefined) return { by: sealed.claimant, at: sealed.delivered.at, version }
  return arrival && { ...arrival, version }
}

const isAlive = ({ spec, declared, expired }: Life): boolean =>
  declared.apiKey.deleting !== true && spec.state !== 'Revoked' && !expired

function importing({ people }: World, life: Life): Step | undefined {
  const { spec, secret, failure } = life
  if (spec.delivery.kind !== 'imported' || failure !== undefined || !isAlive(life)) return undefined
  const { keyId, digest } = spec.delivery
  if (secret?.current?.digest === digest) return undefined
  // whoever declares a digest has had the key in hands before
  return { kind: 'importDigest', keyId, digest, claimedBy: people.createdBy }
}

function lookAgain(world: World, life: Life): number | undefined {
  const { spec, secret, failure, now } = life
  const moments = [
    spec.expiresAt,
    spec.expiresAt === undefined ? undefined : spec.expiresAt - EXPIRING_SOON_MS,
    secret?.previous?.validUntil,
    rotationAt({ ...life, mayRotate: mayRotate(world, life.declared) }),
    isHeld(failure) ? now + CONFLICT_MS : undefined,
    secretLookAgain(world, life),
    ...world.claims.map(({ undecidedUntil }) => undecidedUntil),
  ]
  const ahead = moments.filter((moment) => moment !== undefined).filter((moment) => moment > now)
  return ahead.length === 0 ? undefined : Math.min(...ahead)
}

/** Nobody says when another key lets go of what this one wants. */
const CONFLICT_MS = 60_000

/** Nor when somebody deletes the Secret of a workload: it is not watched. */
const WORKLOAD_SECRET_MS = 5 * 60_000
const COLLECTION_MS = { first: 1000, most: 30_000 }

function secretLookAgain({ workloadSecret, reported }: World, life: Life): number | undefined {
  const { declared, spec, expired, now } = life
  if (workloadSecret === undefined || spec.state === 'Revoked' || expired) return undefined
  if (workloadSecret !== 'collected') return now + Math.round(WORKLOAD_SECRET_MS * spread(declared.uid))
  const waiting = reported.conditions.find(({ reason }) => reason === 'AwaitingCollection')
  const since = waiting === undefined ? now : Date.parse(waiting.lastTransitionTime)
  // as long again as it was waited for already
  return now + Math.min(COLLECTION_MS.most, Math.max(COLLECTION_MS.first, now - since))
}

/** 0.8 to 1.2, of each key its own: those that began together do not stay together. */
function spread(uid: string): number {
  let sum = 0
  for (let i = 0; i < uid.length; i++) sum = (sum * 31 + uid.charCodeAt(i)) % 1009
  return 0.8 + (0.4 * sum) / 1008
}

const isHeld = (failure: Failure | undefined): boolean =>
  failure?.conflict === 'KeyIdHeld' || failure?.conflict === 'DigestHeld'
