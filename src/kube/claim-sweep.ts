/** Claims past their time: what is finished is taken away, and what nobody could answer is told so first. */
import { isHandedOver } from '../core/version.ts'
import type { Denied } from '../operator/claims.ts'
import { ApiError, isConflict } from './api-error.ts'
import { remove } from './calls.ts'
import { CLAIM_LIFE_MS, UNANSWERED } from './claim-status.ts'
import type { Claim } from './claims.ts'
import type { KubeClient } from './client.ts'
import { type KeyCaches, refOfObject } from './key-caches.ts'
import { CLAIMS } from './objects.ts'

export type ClaimSweepParts = {
  readonly client: KubeClient
  readonly caches: Pick<KeyCaches, 'claims' | 'digests' | 'claimIsGone'>
  readonly deny: (claim: Claim, denied: Denied) => Promise<void>
  readonly nowMs: () => number
}

/** Others wait for the API server as well. */
const AT_ONCE = 4

/** @returns one round; says how many claims were past their time, or throws the first trouble once all had their turn */
export function makeClaimSweep({ client, caches, deny, nowMs }: ClaimSweepParts): () => Promise<number> {
  /** Those that wait since longer get their time from whoever leads now. */
  const beganAt = nowMs()

  /** One that waited for long has its time from when it was answered. */
  const isPast = ({ createdAt, finished, finishedAt }: Claim): boolean =>
    Math.max(createdAt, finished ? (finishedAt ?? createdAt) : beganAt) + CLAIM_LIFE_MS <= nowMs()

  /** A version is on its way to it: as long as it is there, it can be told whether that has arrived. */
  const isHandedTo = ({ apiKey, object }: Claim): boolean =>
    caches.digests.named(apiKey).some(({ read }) => {
      const { handingTo, secret } = read.ok ? read.value : {}
      return handingTo?.kind === 'claim' && handingTo.uid === object.metadata.uid && !isHandedOver(secret?.current)
    })

  const takeAway = async (claim: Claim): Promise<void> => {
    const { object } = claim
    if (!claim.finished) return await deny(claim, { claim: object.metadata.name, ...UNANSWERED })
    const { uid, resourceVersion } = object.metadata
    const ref = refOfObject(object)
    try {
      await remove(client, CLAIMS, { ref, uid, resourceVersion })
      caches.claimIsGone(ref, uid)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }

  return async () => {
    const past = [...caches.claims.all()].filter((claim) => isPast(claim) && !isHandedTo(claim))
    const turns = past.values()
    const troubles: unknown[] = []
    const work = async (): Promise<void> => {
      for (const claim of turns) {
        try {
          await takeAway(claim)
        } catch (error) {
          troubles.push(error)
          // where nobody answers, the others would fare no better
          if (!(error instanceof ApiError)) return
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    if (troubles.length > 0) throw troubles[0]
    return past.length
  }
}
