/** What one replica does as long as it leads: every key is brought to where its manifest wants it, old claims are removed. */
import { type KeyRef, nameOf, refOf } from '../core/key-ref.ts'
import { Trouble } from '../core/trouble.ts'
import { makeQueue, type Queue } from '../runtime/queue.ts'
import type { KeyPort } from './key-port.ts'
import type { Outcome } from './metrics.ts'
import { reconcile } from './reconcile.ts'

export type LeadingParts = {
  readonly port: KeyPort
  /** Every ApiKey that is there, of which something is kept, or that is claimed. */
  readonly all: () => Iterable<KeyRef>
  /** Of these something is kept, and no such ApiKey is seen. */
  readonly strays: () => Iterable<KeyRef>
  /** Removes the claims that are past their time. */
  readonly sweepClaims: () => Promise<unknown>
  readonly nowMs: () => number
  readonly steadyMs: () => number
  readonly random: (count: number) => Uint8Array
  readonly jitter: () => number
  readonly askedToWaitMs: (error: unknown) => number | undefined
  readonly onReconciled: (outcome: Outcome, ms: number) => void
  readonly onTrouble: (ref: KeyRef, error: unknown, retryMs: number | undefined) => void
  readonly onClaimsTrouble: (error: unknown) => void
}

export type Leading = {
  /** To be called whenever something of an ApiKey changed: itself, what is kept of it, or a claim of it. */
  readonly wake: (ref: KeyRef) => void
  readonly depth: () => number
  /** Nothing begins any more; resolves when what was begun is over. */
  readonly stop: () => Promise<void>
}

/** As many keys are worked on at once; the API server shares itself fairly among its clients beyond that anyway. */
const CONCURRENCY = 32
/** The net below the watches: how often digests are looked at whose ApiKey nobody has seen. */
const SWEEP_EVERY_MS = 5 * 60_000
const CLAIMS_EVERY_MS = 5_000

export function startLeading(parts: LeadingParts): Leading {
  const { jitter } = parts
  const look = lookOf(parts, () => keys.depth() > CONCURRENCY)
  const keys: Queue = makeQueue({
    run: (key) => look(refOf(key)),
    concurrency: CONCURRENCY,
    onTrouble: (key, error, retryMs) => parts.onTrouble(refOf(key), error, retryMs),
    jitter,
    askedToWaitMs: parts.askedToWaitMs,
  })
  addAll(keys, parts.all())
  const sweep = setInterval(() => addAll(keys, parts.strays()), SWEEP_EVERY_MS)
  const claims = repeat(() => parts.sweepClaims().catch(parts.onClaimsTrouble), CLAIMS_EVERY_MS)
  return {
    wake: (ref) => keys.add(nameOf(ref)),
    depth: keys.depth,
    stop: async () => {
      clearInterval(sweep)
      await Promise.all([keys.stop(), claims.stop()])
    },
  }
}

/** Again and again, never twice at one time. */
function repeat(act: () => Promise<unknown>, everyMs: number): { readonly stop: () => Promise<void> } {
  let running: Promise<unknown> | undefined
  const timer = setInterval(() => {
    running ??= act().finally(() => {
      running = undefined
    })
  }, everyMs)
  return {
    stop: async () => {
      clearInterval(timer)
      await running
    },
  }
}

function addAll(queue: Queue, refs: Iterable<KeyRef>): void {
  for (const ref of refs) queue.add(nameOf(ref))
}

type Look = (ref: KeyRef) => Promise<number | undefined>

/** One look at a key, with all that is to be done; resolves to the milliseconds until the next. */
function lookOf({ port, nowMs, steadyMs, random, onReconciled }: LeadingParts, othersWait: () => boolean): Look {
  /** Keys whose status waits for their next turn: they had their one, whatever comes meanwhile. */
  const behind = new Set<string>()
  return async (ref) => {
    const began = steadyMs()
    const name = nameOf(ref)
    const hadItsTurn = behind.delete(name)
    const goesBehind = (): boolean => {
      if (hadItsTurn || !othersWait()) return false
      behind.add(name)
      return true
    }
    try {
      const again = await reconcile({ port, nowMs, random, othersWait: goesBehind }, ref)
      if (!behind.has(name)) onReconciled('settled', steadyMs() - began)
      return again === undefined ? undefined : again - nowMs()
    } catch (error) {
      onReconciled(error instanceof Trouble ? error.fate : 'retry', steadyMs() - began)
      throw error
    }
  }
}
