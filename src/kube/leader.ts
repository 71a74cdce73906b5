/** Which one of several processes leads, by a Lease; no clock but our own steady one is relied on. */
import { Trouble } from '../core/trouble.ts'
import { pause } from '../runtime/pause.ts'
import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts'
import { isObject } from './calls.ts'
import type { KubeClient } from './client.ts'
import { givenBack, heldBy, type LeaseSpec, respectedMs, specOf, withSpec } from './lease-record.ts'
import { apiVersionOf, type KubeDraft, type KubeObject, LEASES, pathOf } from './objects.ts'

export type CampaignParts = {
  readonly client: KubeClient
  readonly namespace: string
  readonly name: string
  /** Of this process alone: never the same after a restart. */
  readonly identity: string
  /** How long others leave the Lease to whoever does not renew it. */
  readonly durationMs: number
  readonly steadyMs: () => number
  readonly nowMs: () => number
  readonly jitter: () => number
  readonly onTrouble: (error: unknown) => void
}

export type Campaign = {
  /**
   * Campaigns until it is stopped, and calls `lead` each time that we have become the leader: to be ended as soon as it is
   * told so. Ends when `lead` ends by itself, as that does. The Lease is given back when we stop.
   */
  readonly run: (lead: (lost: AbortSignal) => Promise<void>, stop: AbortSignal) => Promise<void>
  /** By the clock at this moment: false before anybody else can have become the leader. */
  readonly isLeading: () => boolean
}

export function campaign(parts: CampaignParts): Campaign {
  const { client, namespace, name, identity, durationMs, steadyMs, nowMs, jitter } = parts
  // the proportions that others use: 15 s for the Lease, 10 s to renew it, tried each 2 s
  const renewMs = (durationMs * 2) / 3
  const retryMs = (durationMs * 2) / 15
  const path = pathOf(LEASES, { namespace, name })
  const told = new Set<string>()
  let leadUntil = Number.NEGATIVE_INFINITY
  /** Ends what is asked while there is nothing to give back yet. */
  let giveUp: AbortSignal | undefined
  let seen: { readonly lease: KubeObject; readonly renewal: string; readonly at: number } | undefined

  const isLeading = (): boolean => steadyMs() < leadUntil

  const tell = (error: unknown): void => {
    const kind = error instanceof Trouble ? error.code : String(error)
    if (told.has(kind)) return
    told.add(kind)
    parts.onTrouble(error)
  }

  const ask = async (method: 'GET' | 'PUT' | 'POST', at: string, body?: KubeDraft): Promise<KubeObject> => {
    const timeoutMs = isLeading() ? Math.min(renewMs / 2, leadUntil - steadyMs()) : renewMs / 2
    const answer = await client.send({
      method,
      path: at,
      timeoutMs,
      once: true,
      ...(body && { body }),
      ...(giveUp && { signal: giveUp }),
    })
    if (!isObject(answer)) throw new Trouble('kube_not_understood', 'retry')
    return answer
  }

  /** What counts is when we saw a renewal, not what time its holder wrote into it. */
  const observe = (lease: KubeObject): LeaseSpec => {
    const spec = specOf(lease)
    const renewal = `${lease.metadata.uid} ${spec.holderIdentity} ${spec.renewTime}`
    seen = { lease, renewal, at: seen?.renewal === renewal ? seen.at : steadyMs() }
    return spec
  }

  const look = async (): Promise<KubeObject | undefined> => {
    try {
      return await ask('GET', path)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  const isFree = (spec: LeaseSpec): boolean => {
    if (spec.holderIdentity === undefined || spec.holderIdentity === '' || spec.holderIdentity === identity) return true
    return seen !== undefined && steadyMs() - seen.at >= respectedMs(spec, durationMs)
  }

  /** Writes us into the Lease over what we saw; whoever wrote since then wins. */
  const write = async (lease: KubeObject | undefined): Promise<void> => {
    const spec = heldBy({ identity, durationMs, nowMs: nowMs() }, lease && specOf(lease))
    // counted from before it was sent: nobody can see the renewal sooner
    const sentAt = steadyMs()
    const written =
      lease === undefined
        ? await ask('POST', pathOf(LEASES, { namespace }), draft(name, spec))
        : await ask('PUT', path, withSpec(lease, spec))
    observe(written)
    leadUntil = sentAt + renewMs
    told.clear()
  }

  const attempt = async (): Promise<void> => {
    // what we wrote last is still there, as a rule
    const lease = isLeading() && seen !== undefined ? seen.lease : await look()
    if (lease !== undefined && !isFree(observe(lease))) {
      leadUntil = Number.NEGATIVE_INFINITY
      return
    }
    try {
      await write(lease)
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) await lookAgain()
      else throw error
    }
  }

  /** Somebody else wrote: whether it was another leader is to be known at once. */
  const lookAgain = async (): Promise<void> => {
    const lease = await look()
    if (lease === undefined) {
      // somebody deleted it: it is made anew the next time
      seen = undefined
      return
    }
    const { holderIdentity } = observe(lease)
    if (holderIdentity !== identity) leadUntil = Number.NEGATIVE_INFINITY
  }

  const tryOnce = (): Promise<void> => attempt().catch((error) => (giveUp?.aborted === true ? undefined : tell(error)))

  const acquire = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      giveUp = stop
      await tryOnce()
      giveUp = undefined
      if (isLeading()) return
      await pause(retryMs * (1 + jitter() / 5), stop)
    }
  }

  /** Renews until the work is over, or until it is too late. */
  const hold = async (over: AbortSignal, lost: AbortController): Promise<void> => {
    while (!over.aborted) {
      await pause(Math.min(retryMs, Math.max(leadUntil - steadyMs(), 0)), over)
      if (!over.aborted && isLeading()) await tryOnce()
      if (!isLeading()) return lost.abort()
    }
  }

  const release = async (): Promise<void> => {
    if (!isLeading() || seen === undefined) return
    // first: nothing of ours may be written any more when another may begin
    leadUntil = Number.NEGATIVE_INFINITY
    const { lease } = seen
    await ask('PUT', path, withSpec(lease, givenBack(specOf(lease), nowMs()))).catch(tell)
  }

  const term = async (lead: (lost: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<boolean> => {
    const lost = new AbortController()
    const over = new AbortController()
    const onStop = (): void => lost.abort()
    stop.addEventListener('abort', onStop, { once: true })
    const holding = hold(over.signal, lost)
    try {
      await lead(lost.signal)
      return !lost.signal.aborted
    } finally {
      over.abort()
      await holding
      stop.removeEventListener('abort', onStop)
      await release()
    }
  }

  const run = async (lead: (lost: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      await acquire(stop)
      if (stop.aborted) return release()
      if (await term(lead, stop)) return
    }
  }

  return { run, isLeading }
}

const draft = (name: string, spec: LeaseSpec): KubeDraft => ({
  apiVersion: apiVersionOf(LEASES),
  kind: LEASES.kind,
  metadata: { name },
  spec,
})
