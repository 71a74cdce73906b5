/**
 * Who receives a version, and the fence of a hand-over, which is the recipient itself: an attempt is written to it over
 * what was seen of it, and is delivered over that very writing. Whoever writes to it meanwhile ends the attempt.
 */
import type { KeyRef } from '../core/key-ref.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { Trouble } from '../core/trouble.ts'
import type { Recipient } from '../operator/world.ts'
import { isAbsent, isAlreadyExists, isConflict } from './api-error.ts'
import { get, replace } from './calls.ts'
import { attempted, attemptIn, delivered } from './claim-status.ts'
import { type Claim, readClaim } from './claims.ts'
import type { KubeClient } from './client.ts'
import type { HandingTo } from './digest-secret.ts'
import { takenOver } from './digest-writes.ts'
import type { KeyCaches } from './key-caches.ts'
import { CLAIMS, type KubeObject } from './objects.ts'
import { seal } from './seal.ts'
import { deliverToWorkload, type Look, lookAtWorkload, openWorkload, type WorkloadPlace } from './workload-secret.ts'

export type RecipientsParts = {
  readonly client: KubeClient
  readonly caches: KeyCaches
  readonly nowMs: () => number
  readonly uuid: () => string
}

/** What was seen when the key was looked at; an attempt is made over that and nothing newer. */
export type SeenRecipients = {
  readonly claims: readonly Claim[]
  readonly workload: { readonly secretName: string; readonly look: Look } | undefined
}

export type Opened = {
  readonly handingTo: HandingTo
  /** The claim, as it is now; undefined: it goes to a workload. */
  readonly claim: KubeObject | undefined
  /** gone: there is nobody any more to deliver to, and nothing was delivered. */
  readonly deliver: (plaintext: Plaintext, version: number) => Promise<'delivered' | 'gone'>
}

/** What became of a hand-over that was begun and not confirmed. */
export type Fate = { readonly kind: 'arrived'; readonly at: number | undefined } | { readonly kind: 'gone' | 'open' }

export type Owner = { readonly ref: KeyRef; readonly uid: string }

export function makeRecipients({ client, caches, nowMs, uuid }: RecipientsParts) {
  const placeOf = ({ ref, uid }: Owner, secretName: string): WorkloadPlace => ({
    namespace: ref.namespace,
    name: secretName,
    owner: { name: ref.name, uid },
  })

  const lookAtClaim = async (ref: KeyRef): Promise<Claim | undefined> => {
    const object = await get(client, CLAIMS, ref)
    if (object === undefined) return undefined
    caches.noteClaim(object)
    return readClaim(object)
  }

  /** PUT of a claim's status over what was seen of it. */
  const writeClaim = async (claim: KubeObject, status: object): Promise<KubeObject> => {
    const ref = claimRef(claim)
    try {
      const answer = await replace(client, CLAIMS, { object: { ...claim, status }, subresource: 'status' })
      caches.noteClaim(answer)
      return answer
    } catch (error) {
      if (isAbsent(error)) caches.claimIsGone(ref, claim.metadata.uid)
      if (!isConflict(error)) throw error
      await lookAtClaim(ref)
      throw takenOver()
    }
  }

  const markAttempt = async (claim: KubeObject, id: string): Promise<KubeObject> => {
    const answer = await writeClaim(claim, attempted(id, nowMs()))
    // a CustomResourceDefinition that drops the attempt would leave no fence at all
    if (attemptIn(answer) !== id) throw new Trouble('claims_keep_no_attempt', 'stop')
    return answer
  }

  const openClaim = async (
    ref: KeyRef,
    recipient: Recipient & { kind: 'claim' },
    seen: SeenRecipients,
  ): Promise<Opened> => {
    const { claim: name, claimant } = recipient
    const claim =
      seen.claims.find(({ object }) => object.metadata.name === name) ??
      (await lookAtClaim({ namespace: ref.namespace, name }))
    const publicJwk = claim?.publicJwk
    if (claim === undefined || publicJwk === undefined || claim.finished || claim.delivered !== undefined)
      throw takenOver()
    const marked = await markAttempt(claim.object, uuid()).catch(goneIsTakenOver)
    const { uid } = marked.metadata
    return {
      handingTo: { kind: 'claim', name, uid, claimant },
      claim: marked,
      deliver: async (plaintext, version) => {
        const jwe = await seal(plaintext, publicJwk)
        try {
          await writeClaim(marked, delivered({ version, jwe }, { claim: marked, nowMs: nowMs() }))
          return 'delivered'
        } catch (error) {
          if (isAbsent(error)) return 'gone'
          throw error
        }
      },
    }
  }

  const openSecret = async (
    owner: Owner,
    recipient: Recipient & { kind: 'workloadSecret' },
    seen: SeenRecipients,
  ): Promise<Opened> => {
    const { secretName: name, claimant } = recipient
    const place = placeOf(owner, name)
    const look = seen.workload?.secretName === name ? seen.workload.look : await lookAtWorkload(client, place)
    if (look.kind === 'foreign') throw new Trouble('secret_not_ours', 'stop')
    if (look.kind === 'collected') throw takenOver()
    const attempt = uuid()
    const seenAt = look.kind === 'ours' ? look.resourceVersion : undefined
    const over = await openWorkload(client, place, { attempt, over: seenAt }).catch(lostIsTakenOver)
    return {
      handingTo: { kind: 'workloadSecret', name, attempt, claimant },
      claim: undefined,
      deliver: async (plaintext, version) => {
        try {
          await deliverToWorkload(client, place, { plaintext, attempt, over, version })
          return 'delivered'
        } catch (error) {
          if (isAbsent(error)) return 'gone'
          return lostIsTakenOver(error)
        }
      },
    }
  }

  /** A live look. */
  const fateOf = async (
    owner: Owner,
    handingTo: HandingTo,
    version: number,
  ): Promise<Fate & { readonly claim?: Claim; readonly look?: Look }> => {
    if (handingTo.kind === 'workloadSecret') {
      const look = await lookAtWorkload(client, placeOf(owner, handingTo.name))
      if (look.kind !== 'ours') return { kind: 'open', look }
      return { kind: look.attempt === handingTo.attempt ? 'arrived' : 'open', at: undefined, look }
    }
    const claim = await lookAtClaim({ namespace: owner.ref.namespace, name: handingTo.name })
    if (claim === undefined || claim.object.metadata.uid !== handingTo.uid) return { kind: 'gone' }
    if (claim.delivered?.version === version) return { kind: 'arrived', at: claim.delivered.at }
    return { kind: 'open', claim }
  }

  return {
    fateOf,
    writeClaim,

    look: (owner: Owner, secretName: string): Promise<Look> => lookAtWorkload(client, placeOf(owner, secretName)),

    open: (owner: Owner, recipient: Recipient, seen: SeenRecipients): Promise<Opened> => {
      switch (recipient.kind) {
        case 'claim':
          return openClaim(owner.ref, recipient, seen)
        case 'workloadSecret':
          return openSecret(owner, recipient, seen)
        case 'newKeys':
          throw new Trouble('nobody_to_deliver_to', 'stop')
      }
    },

    /** Whoever was at handing a version to them can't deliver any more. */
    close: async (owner: Owner, handingTo: HandingTo, version: number): Promise<Fate['kind']> => {
      const fate = await fateOf(owner, handingTo, version)
      if (fate.kind !== 'open') return fate.kind
      if (fate.claim !== undefined && !fate.claim.finished) {
        await markAttempt(fate.claim.object, uuid()).catch(goneIsTakenOver)
      }
      if (fate.look?.kind === 'ours') {
        const place = placeOf(owner, handingTo.name)
        await openWorkload(client, place, { attempt: uuid(), over: fate.look.resourceVersion }).catch(lostIsTakenOver)
      }
      return 'open'
    },
  }
}

export type Recipients = ReturnType<typeof makeRecipients>

const claimRef = ({ metadata }: KubeObject): KeyRef => ({ namespace: metadata.namespace ?? '', name: metadata.name })

function goneIsTakenOver(error: unknown): never {
  throw isAbsent(error) ? takenOver() : error
}

function lostIsTakenOver(error: unknown): never {
  throw isAbsent(error) || isConflict(error) || isAlreadyExists(error) ? takenOver() : error
}
