/** The reconciler's port on a Kubernetes API server: ApiKeys are looked at live, the rest is known by watching. */
import { type KeyRef, refOf } from '../core/key-ref.ts'
import type { Attested } from '../core/person.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { isHandedOver } from '../core/version.ts'
import type { Denied } from '../operator/claims.ts'
import type { Attempt, KeyPort, Opening } from '../operator/key-port.ts'
import type { Grant, Revision, World } from '../operator/world.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import type { ApiKeyStatus } from '../resources/key-status.ts'
import { isAbsent, isConflict } from './api-error.ts'
import { mergePatch } from './calls.ts'
import { denied as deniedStatus } from './claim-status.ts'
import { makeClaimSweep } from './claim-sweep.ts'
import type { Claim } from './claims.ts'
import type { KubeClient } from './client.ts'
import type { DigestRead, DigestSecret } from './digest-secret.ts'
import { makeDigestWrites, takenOver, type Writing } from './digest-writes.ts'
import type { Events } from './events.ts'
import type { KeyCaches } from './key-caches.ts'
import { makeKeyLook } from './key-look.ts'
import { API_KEYS, apiVersionOf, CLAIMS, type Resource } from './objects.ts'
import { mergePatchOf } from './observed-key.ts'
import type { PeoplePort } from './people.ts'
import { makeRecipients, type Opened } from './recipients.ts'
import { addTombstone } from './tombstones.ts'
import { makeTurns } from './turns.ts'
import { UNREADABLE, UnreadableKey, unreadableStatus, wordsFor } from './unreadable-key.ts'

export type ClusterKeyPortParts = {
  /** Refuses to write as soon as somebody else may lead. */
  readonly client: KubeClient
  /** Keyward's own. */
  readonly namespace: string
  readonly caches: KeyCaches
  readonly people: PeoplePort
  readonly events: Pick<Events, 'note'>
  readonly nowMs: () => number
  readonly uuid: () => string
}

export type ClusterKeyPort = KeyPort & {
  /** One round over the claims that are past their time; says how many. */
  readonly sweepClaims: () => Promise<number>
}

type Over = { readonly object: DigestRead['object']; readonly value: DigestSecret } | undefined

export function makeClusterKeyPort(parts: ClusterKeyPortParts): ClusterKeyPort {
  const { client, namespace, caches, events, nowMs } = parts
  const writes = makeDigestWrites(parts)
  const recipients = makeRecipients(parts)
  const turns = makeTurns()
  const revisionOf = (uid: string, resourceVersion: string): Revision => `${resourceVersion}#${turns.of(uid)}`
  const look = makeKeyLook({ ...parts, writes, recipients, revisionOf })

  const keptOf = (uid: string): Over => {
    const kept = caches.digests.of(uid).find(({ read }) => read.ok)
    return kept?.read.ok === true ? { object: kept.object, value: kept.read.value } : undefined
  }

  /** What is to be written over, if nobody wrote since it was read. */
  const overOf = (uid: string, revision: Revision | undefined): Over => {
    const over = keptOf(uid)
    const now = over && revisionOf(uid, over.object.resourceVersion)
    if (now !== revision) throw takenOver()
    return over
  }

  const write = async (writing: Writing): Promise<Revision> => {
    const { uid, name } = writing.next
    const answer = await writes.write(writing)
    turns.next(refOf(name), uid)
    return revisionOf(uid, answer.metadata.resourceVersion)
  }

  /** Whoever is at handing over what is about to be replaced must not deliver it any more. */
  const closeBefore = async (ref: KeyRef, uid: string, value: DigestSecret | undefined): Promise<string> => {
    const { current } = value?.secret ?? {}
    if (value?.handingTo === undefined || current === undefined || isHandedOver(current)) return 'open'
    return await recipients.close({ ref, uid }, value.handingTo, current.version)
  }

  /** As their stamp proves it; undefined: it goes by whoever made the key. */
  const claimantIn = ({ claim, handingTo }: Opened): Attested | undefined => {
    if (claim === undefined) return undefined
    const claimant = parts.people.claimantOf(claim)
    // another one than was judged
    if (!claimant.ok || claimant.value.person.username !== handingTo.claimant) throw takenOver()
    return claimant.value
  }

  const openAttempt = async ({ ref, uid, over: revision, recipient, grant }: Opening): Promise<Attempt> => {
    const over = overOf(uid, revision)
    let turn = turns.next(ref, uid)
    const seen = look.seen(ref, uid)
    // what was seen to be on its way may have arrived since
    if (!isTo(over?.value, recipient) && (await closeBefore(ref, uid, over?.value)) !== 'open') throw takenOver()
    const opened = await recipients.open({ ref, uid }, recipient, seen)
    look.spend(ref, opened.handingTo.name)
    const claimant = claimantIn(opened)
    let stored: Over = over
    const mine = (): void => {
      if (turns.of(uid) !== turn) throw takenOver()
    }
    const put = async (next: KeySecret, more: Pick<Writing, 'grant' | 'claimant' | 'handingTo'>): Promise<Revision> => {
      mine()
      const revision = await write({ next, over: stored, ...more })
      turn = turns.of(uid)
      stored = keptOf(uid)
      return revision
    }
    return {
      storeDigest: async (next) => {
        await put(next, { grant, claimant, handingTo: opened.handingTo })
      },
      deliver: async (plaintext: Plaintext) => {
        mine()
        const version = stored?.value.secret.current?.version ?? 0
        if ((await opened.deliver(plaintext, version)) === 'delivered') return
        // nobody has it, and that is known now: it is minted again for whoever comes next
        if (stored !== undefined) await put(stored.value.secret, { grant: undefined, handingTo: undefined })
        throw takenOver()
      },
      confirm: (arrived) => put(arrived, { grant: undefined, handingTo: undefined }),
    }
  }

  const writeSecret = async (next: KeySecret, revision: Revision | undefined, grant?: Grant): Promise<Revision> => {
    const over = overOf(next.uid, revision)
    const before = over?.value.secret.current
    const stays = before !== undefined && next.current?.digest === before.digest
    if (!stays) await closeBefore(refOf(next.name), next.uid, over?.value)
    const handingTo = stays && !isHandedOver(next.current) ? over?.value.handingTo : undefined
    return await write({ next, over, grant, handingTo })
  }

  const denyClaim = async (ref: KeyRef, denied: Denied): Promise<void> => {
    const claim = look.claims(ref).find(({ object }) => object.metadata.name === denied.claim)
    if (claim !== undefined) await deny(claim, denied)
  }

  const deny = async ({ object, apiKey }: Claim, denied: Denied): Promise<void> => {
    const ref = refOf(apiKey)
    try {
      await recipients.writeClaim(object, deniedStatus(denied, { claim: object, nowMs: nowMs() }))
    } catch (error) {
      if (isAbsent(error)) return
      throw error
    }
    const uid = look.key(ref)?.uid
    const regarding = uid === undefined ? regardingOf(CLAIMS, object.metadata) : regardingOf(API_KEYS, { ...ref, uid })
    const message = `the claim ${denied.claim} was denied: ${denied.message}`
    events.note({ regarding, type: 'Warning', reason: denied.reason, message })
  }

  const report = async (ref: KeyRef, uid: string, status: ApiKeyStatus): Promise<void> => {
    const seen = look.key(ref)
    const resourceVersion = seen?.uid === uid ? seen.resourceVersion : undefined
    const patch = {
      metadata: { uid, ...(resourceVersion !== undefined && { resourceVersion }) },
      status: mergePatchOf(status),
    }
    try {
      await mergePatch(client, API_KEYS, { ref, patch, subresource: 'status' })
    } catch (error) {
      // gone, made again, or edited: the next look says more
      if (isAbsent(error) || isConflict(error)) throw takenOver()
      throw error
    } finally {
      look.forget(ref)
    }
  }

  const tellOfUnreadable = async (ref: KeyRef, error: UnreadableKey): Promise<void> => {
    const { metadata } = error.object
    events.note({
      regarding: regardingOf(API_KEYS, metadata),
      type: 'Warning',
      reason: UNREADABLE,
      message: wordsFor(error),
    })
    const status = unreadableStatus(error, nowMs())
    if (status === undefined) return
    const { uid, resourceVersion } = metadata
    try {
      const patch = { metadata: { uid, resourceVersion }, status }
      await mergePatch(client, API_KEYS, { ref, patch, subresource: 'status' })
    } catch (error) {
      // gone or edited: whoever did that wakes it
      if (!isAbsent(error) && !isConflict(error)) throw error
    }
  }

  const observe = async (ref: KeyRef): Promise<World> => {
    try {
      const world = await look.observe(ref)
      if (world.declared === undefined) turns.forget(ref)
      return world
    } catch (error) {
      if (error instanceof UnreadableKey) await tellOfUnreadable(ref, error)
      throw error
    }
  }

  return {
    observe,
    writeSecret,
    openAttempt,
    tombstone: async (keyId, uid) => {
      const name = caches.tombstonesFor(keyId)
      caches.noteTombstones(await addTombstone(client, namespace, { name, keyId, uid }))
    },
    remove: writes.remove,
    denyClaim,
    report,
    sweepClaims: makeClaimSweep({ client, caches, deny, nowMs }),
  }
}

/** Whether a new attempt for that recipient ends by itself what was begun before. */
function isTo(value: DigestSecret | undefined, recipient: Opening['recipient']): boolean {
  const handingTo = value?.handingTo
  if (handingTo === undefined) return true
  if (recipient.kind === 'claim') return handingTo.kind === 'claim' && handingTo.name === recipient.claim
  return recipient.kind === handingTo.kind && recipient.secretName === handingTo.name
}

type Named = { readonly namespace?: string | undefined; readonly name: string; readonly uid: string }

const regardingOf = (resource: Resource, { namespace = '', name, uid }: Named) => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  namespace,
  name,
  uid,
})
