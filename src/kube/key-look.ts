/** A look at one key: what the API server says of it now, and what is kept of it, as the reconciler wants to know it. */
import { NOTHING_HELD } from '../core/cap.ts'
import type { KeyId } from '../core/credential.ts'
import { type KeyRef, nameOf } from '../core/key-ref.ts'
import { isHandedOver, versionDue } from '../core/version.ts'
import type {
  AutomaticRecipient,
  Held,
  Revision,
  Taken,
  WaitingClaim,
  WorkloadSecret,
  World,
} from '../operator/world.ts'
import { UNRECORDED } from '../resources/key-secret.ts'
import { parseReported, type Reported } from '../resources/key-status.ts'
import { get } from './calls.ts'
import { type Claim, mayPrecedeRegeneration } from './claims.ts'
import type { KubeClient } from './client.ts'
import { type DigestRead, digestSecretName } from './digest-secret.ts'
import { type DigestWrites, takenOver } from './digest-writes.ts'
import type { KeyCaches } from './key-caches.ts'
import { API_KEYS, type KubeObject } from './objects.ts'
import { freshKeyId, type ObservedKey, observedKey } from './observed-key.ts'
import type { PeoplePort } from './people.ts'
import { type Behind, type Claimant, lookBehind, NOBODY } from './people-look.ts'
import type { Recipients, SeenRecipients } from './recipients.ts'
import type { Look } from './workload-secret.ts'

export type KeyLookParts = {
  readonly client: KubeClient
  readonly caches: KeyCaches
  readonly writes: Pick<DigestWrites, 'lookAgain'>
  readonly recipients: Pick<Recipients, 'look' | 'fateOf'>
  readonly people: PeoplePort
  readonly revisionOf: (uid: string, resourceVersion: string) => Revision
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
}

/** What writes are made over; kept until the next look. */
export type SeenKey = SeenRecipients & { readonly uid: string; readonly resourceVersion: string }

/** Somebody who writes faster than people are asked is not waited for; the key comes again after a pause. */
const LOOKS_AT_MOST = 5

const NOTHING_TAKEN: Taken = { keyId: undefined, digest: undefined }
const NO_CLAIMS: readonly Claim[] = []

export function makeKeyLook({ client, caches, writes, recipients, people, ...parts }: KeyLookParts) {
  const seenKeys = new Map<string, SeenKey>()
  const { digests } = caches

  const unfinished = (ref: KeyRef): readonly Claim[] => {
    const claims = caches.claims.of(ref).filter(({ finished, delivered }) => !finished && delivered === undefined)
    return claims.length === 0 ? NO_CLAIMS : claims
  }

  /** Where the status says that there are digests and none are known, they may only not have been seen yet. */
  const lookForKept = async (uid: string, { keyId }: Reported): Promise<void> => {
    if (keyId !== undefined && digests.of(uid).length === 0) await writes.lookAgain(digestSecretName(keyId))
  }

  const kept = (uid: string, { keyId }: Reported): DigestRead | undefined => {
    const known = oneOf(digests.of(uid))
    const said = known === undefined && keyId !== undefined ? digests.byKeyId(keyId) : undefined
    // with a label that was changed by hand it is this key's, and not to be trusted
    return known ?? (said?.read.ok === false ? said : undefined)
  }

  const heldOf = (uid: string, read: DigestRead | undefined): Held | undefined => {
    if (read === undefined) return undefined
    if (!read.read.ok) return { kind: 'unreadable', problem: read.read.problem }
    const { secret } = read.read.value
    const revision = parts.revisionOf(uid, read.object.resourceVersion)
    return { kind: 'read', secret, revision, tombstoned: caches.isRetired(secret.keyId) }
  }

  /** Of a name: what is kept for others than the ApiKey that a live look has found there. */
  const orphansOf = (ref: KeyRef, alive: string | undefined): World['orphans'] =>
    digests.named(nameOf(ref)).flatMap(({ apiKeyUid: uid, keyId, read }) => {
      if (uid === undefined || keyId === undefined || uid === alive) return []
      // what can't be read may be anybody's, as long as somebody is there
      return read.ok || alive === undefined ? [{ uid, keyId }] : []
    })

  const takenFrom = ({ declared: { uid, apiKey } }: ObservedKey): Taken => {
    const { delivery } = apiKey.spec
    if (delivery.kind !== 'imported') return NOTHING_TAKEN
    const isHeld = (by: string | undefined): boolean => (by ?? uid) !== uid
    const keyIdHeld = isHeld(digests.holderOf(delivery.keyId) ?? digests.byKeyId(delivery.keyId)?.apiKeyUid)
    const keyId = caches.isRetired(delivery.keyId) ? 'retired' : keyIdHeld ? 'held' : undefined
    return { keyId, digest: isHeld(digests.holderOf(delivery.digest)) ? 'held' : undefined }
  }

  const isFree = (keyId: KeyId): boolean => digests.byKeyId(keyId) === undefined && !caches.isRetired(keyId)

  /** Whether it may be meant for the version before that which is due now. */
  const isOfBefore = (claim: Claim, apiKey: KubeObject): boolean => {
    const sights = { regeneratedAt: caches.regenerations.seenAt(apiKey), claimedAt: caches.claims.madeAt(claim) }
    return mayPrecedeRegeneration(claim, apiKey, sights)
  }

  const waitingOf = (claim: Claim, { declared, object }: ObservedKey, about: Waiting): WaitingClaim => {
    const { regenerate } = declared.apiKey.spec
    return {
      name: claim.object.metadata.name,
      version: claim.version,
      // the one before that which is due now
      dueWhenMade: isOfBefore(claim, object) ? versionDue(regenerate, about.rotations) - 1 : undefined,
      ...about.claimant,
      objection: objectionTo(claim, object),
      delivered: undefined,
    }
  }

  /** Everybody behind the key as it is kept when this resolves. */
  const behindOf = async (ref: KeyRef, observed: ObservedKey, reported: Reported): Promise<Behind> => {
    const { object } = observed
    const { uid, apiKey } = observed.declared
    for (let looks = 0; looks < LOOKS_AT_MOST; looks++) {
      const read = kept(uid, reported)
      const value = read?.read.ok === true ? read.read.value : undefined
      const { current, rotations = 0 } = value?.secret ?? {}
      const due = versionDue(apiKey.spec.regenerate, rotations)
      const isDue = !isHandedOver(current) || (current?.version ?? 0) < due
      const mayWin = (claim: Claim): boolean =>
        isDue &&
        objectionTo(claim, object) === undefined &&
        (claim.version === undefined ? !isOfBefore(claim, object) : claim.version === due)
      const looking = { ref, observed, kept: value, claims: unfinished(ref), mayWin, now: parts.nowMs() }
      const behind = await lookBehind(people, looking)
      if (kept(uid, reported)?.object.resourceVersion === read?.object.resourceVersion) return behind
    }
    throw takenOver()
  }

  /** Asked of the recipient itself; only of a version that was begun and not confirmed. */
  const arrivalOf = async (ref: KeyRef, uid: string, read: DigestRead | undefined): Promise<World['arrival']> => {
    if (read?.read.ok !== true) return undefined
    const { secret, handingTo } = read.read.value
    const { current } = secret
    if (current === undefined || isHandedOver(current) || handingTo === undefined) return undefined
    const fate = await recipients.fateOf({ ref, uid }, handingTo, current.version)
    // a claim that is gone may have been read and taken away by its claimant
    if (fate.kind === 'open') return undefined
    const at = fate.kind === 'arrived' ? fate.at : undefined
    return { by: handingTo.claimant, at: at ?? current.issuedAt }
  }

  const workloadOf = async (ref: KeyRef, { declared: { uid, apiKey } }: ObservedKey): Promise<SeenKey['workload']> => {
    const { delivery } = apiKey.spec
    if (delivery.kind !== 'workloadSecret' || apiKey.deleting === true) return undefined
    return { secretName: delivery.secretName, look: await recipients.look({ ref, uid }, delivery.secretName) }
  }

  const observeAbsent = (ref: KeyRef): World => {
    seenKeys.delete(nameOf(ref))
    people.forget(ref)
    return {
      ...NOTHING_DECLARED,
      orphans: orphansOf(ref, undefined),
      claims: unfinished(ref).map((claim) => ({
        name: claim.object.metadata.name,
        ...NO_CLAIMANT,
        version: claim.version,
        dueWhenMade: undefined,
        objection: undefined,
        delivered: undefined,
      })),
    }
  }

  const observe = async (ref: KeyRef): Promise<World> => {
    const object = await get(client, API_KEYS, ref)
    if (object === undefined) return observeAbsent(ref)
    caches.regenerations.saw(object)
    const observed = observedKey(object)
    const { declared, asked, status } = observed
    const { uid, apiKey } = declared
    const reported = parseReported(status)
    const workload = await workloadOf(ref, observed)
    await lookForKept(uid, reported)
    const arrival = await arrivalOf(ref, uid, kept(uid, reported))
    const behind = await behindOf(ref, observed, reported)
    // from here on nothing waits: what is known is of one moment
    const read = kept(uid, reported)
    const held = heldOf(uid, read)
    // who came meanwhile wakes the key again
    const claims = unfinished(ref).filter(({ object: { metadata } }) => behind.claims.has(metadata.uid))
    seenKeys.set(nameOf(ref), { uid, resourceVersion: object.metadata.resourceVersion, claims, workload })
    const secret = held?.kind === 'read' ? held.secret : undefined
    return {
      declared,
      held,
      orphans: orphansOf(ref, uid),
      claims: claims.map((claim) => {
        const claimant = behind.claims.get(claim.object.metadata.uid) ?? NO_CLAIMANT
        return waitingOf(claim, observed, { claimant, rotations: secret?.rotations ?? 0 })
      }),
      automatic: automaticOf(workload, behind.people.createdBy),
      arrival,
      workloadSecret: workload && workloadSecretOf(workload.look, secret?.current),
      granting: { asked, last: read?.read.ok === true ? read.read.value.granted : undefined },
      freshKeyId: held === undefined ? freshKeyId(uid, apiKey.spec.environment, isFree) : undefined,
      people: behind.people,
      taken: takenFrom(observed),
      reported,
    }
  }

  return {
    observe,

    /** What was seen of this ApiKey last; nothing, if that was of another or is spent. */
    seen: (ref: KeyRef, uid: string): SeenRecipients => {
      const seen = seenKeys.get(nameOf(ref))
      return seen?.uid === uid ? seen : NOTHING_SEEN
    },
    key: (ref: KeyRef): Pick<SeenKey, 'uid' | 'resourceVersion'> | undefined => seenKeys.get(nameOf(ref)),

    /** Those that wait, as they were seen or are known. */
    claims: (ref: KeyRef): readonly Claim[] => seenKeys.get(nameOf(ref))?.claims ?? unfinished(ref),

    /** An attempt was written there: what was seen before is spent. */
    spend: (ref: KeyRef, recipient: string): void => {
      const seen = seenKeys.get(nameOf(ref))
      if (seen === undefined) return
      const claims = seen.claims.filter(({ object }) => object.metadata.name !== recipient)
      seenKeys.set(nameOf(ref), { ...seen, claims, workload: undefined })
    },

    /** A status was written over what was seen of the ApiKey. */
    forget: (ref: KeyRef): void => {
      seenKeys.delete(nameOf(ref))
    },
  }
}

type Waiting = { readonly claimant: Claimant; readonly rotations: number }

const NO_CLAIMANT: Claimant = { claimant: UNRECORDED, unattested: undefined, cap: NOTHING_HELD }

const NOTHING_SEEN: SeenRecipients = { claims: NO_CLAIMS, workload: undefined }

const NOTHING_DECLARED = {
  declared: undefined,
  held: undefined,
  automatic: undefined,
  arrival: undefined,
  workloadSecret: undefined,
  granting: undefined,
  freshKeyId: undefined,
  people: NOBODY,
  taken: NOTHING_TAKEN,
  reported: parseReported(undefined),
} as const

/** One that was made for an ApiKey that is gone is answered as if it had been seen in time. */
function objectionTo({ createdAt, publicJwk }: Claim, { metadata }: KubeObject): WaitingClaim['objection'] {
  if (createdAt < Date.parse(metadata.creationTimestamp)) return 'KeyNotFound'
  return publicJwk === undefined ? 'InvalidKey' : undefined
}

/** One that can be read, if there is one: copies that somebody made change nothing. */
const oneOf = (reads: readonly DigestRead[]): DigestRead | undefined => reads.find(({ read }) => read.ok) ?? reads[0]

/** A Secret that is not of this ApiKey receives nothing. */
const automaticOf = (workload: SeenKey['workload'], claimant: string): AutomaticRecipient | undefined =>
  workload === undefined || workload.look.kind === 'foreign' || workload.look.kind === 'collected'
    ? undefined
    : { kind: 'workloadSecret', secretName: workload.secretName, claimant }

/** What it should hold is the version that was handed over last. */
function workloadSecretOf(
  look: Look,
  current: { readonly version: number; readonly claimedAt: number | undefined } | undefined,
): WorkloadSecret {
  if (look.kind !== 'ours') return look.kind
  return isHandedOver(current) && look.version !== current?.version ? 'missing' : 'present'
}
