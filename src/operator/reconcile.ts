/** Observe, plan, carry out; nothing is decided here. What woke us is forgotten: only what is there now counts. */
import type { KeyRef } from '../core/key-ref.ts'
import { unreachable } from '../core/parsed.ts'
import { Trouble } from '../core/trouble.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { changed, newSecret } from './change.ts'
import { handOver } from './hand-over.ts'
import type { KeyPort } from './key-port.ts'
import { type Change, type HandOver, type Plan, plan, type Step, statusAt, toBeGranted } from './plan.ts'
import type { Declared, Grant, Recipient, Revision, World } from './world.ts'

export type ReconcileParts = {
  readonly port: KeyPort
  readonly nowMs: () => number
  readonly random: (count: number) => Uint8Array
  /** Whether other keys wait for their turn; never unless given. */
  readonly othersWait?: () => boolean
}

/** No plan needs more: one to act, one to see what came of it, one to report. The rest is for what changes meanwhile. */
const MAX_PASSES = 6

/** Brings one key to where its manifest wants it. Resolves to the moment of the next look, if there is one. */
export async function reconcile(parts: ReconcileParts, ref: KeyRef): Promise<number | undefined> {
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const world = await parts.port.observe(ref)
    const next = plan(world, parts.nowMs())
    const isSettled = next.steps.every((step) => step.kind === 'report' || goneOf(step, world) !== undefined)
    try {
      const left = await carryOut(parts, { ref, world, next })
      // the key of now goes on until nothing is left but those that are gone
      if (isSettled && left[0] !== undefined) throw left[0]
    } catch (error) {
      // taken over: somebody else is at work on this key, and says so
      if (error instanceof Trouble && error.code !== 'taken_over') await tell(parts, ref, error.code)
      throw error
    }
    if (next.steps.every(({ kind }) => kind === 'report')) return next.again
    // what is in force of the others comes before what is said of this one
    if (next.steps.every(({ kind }) => kind === 'grant') && parts.othersWait?.() === true) return parts.nowMs()
  }
  throw new Trouble('unsettled', 'retry')
}

/** Says in the status what keeps a key from being what it should be; the trouble itself goes on. */
async function tell(parts: ReconcileParts, ref: KeyRef, setback: string): Promise<void> {
  try {
    const world = await parts.port.observe(ref)
    const status = statusAt(world, parts.nowMs(), setback)
    if (status === undefined || world.declared === undefined) return
    await parts.port.report(ref, world.declared.uid, status)
  } catch {
    // where not even this can be written, the trouble that led here is the one to be known
  }
}

type Undertaking = { readonly ref: KeyRef; readonly world: World; readonly next: Plan }

/** What is kept of the key, as far as the steps before have brought it. */
type Kept = { readonly secret: KeySecret | undefined; readonly revision: Revision | undefined }

/** The uid of the key of this name that is gone, where it is about one. */
const goneOf = (step: Step, { declared }: World): string | undefined =>
  (step.kind === 'tombstone' || step.kind === 'remove') && step.uid !== declared?.uid ? step.uid : undefined

/** @returns what keeps keys of this name that are gone from being cleared away: the key of now does not wait for that */
async function carryOut(parts: ReconcileParts, { ref, world, next }: Undertaking): Promise<readonly Trouble[]> {
  const { held } = world
  let kept: Kept = held?.kind === 'read' ? held : { secret: undefined, revision: undefined }
  const left = new Map<string, Trouble>()
  for (const step of next.steps) {
    const gone = goneOf(step, world)
    // its digests stay as long as its key ID could be imported again
    if (gone !== undefined && left.has(gone)) continue
    try {
      kept = await carryOutOne(parts, { ref, world, step, kept })
    } catch (error) {
      if (gone === undefined || !(error instanceof Trouble)) throw error
      left.set(gone, error)
    }
  }
  return [...left.values()]
}

type Doing = {
  readonly ref: KeyRef
  readonly world: World
  readonly step: Step
  readonly kept: Kept
}

async function carryOutOne(parts: ReconcileParts, { ref, world, step, kept }: Doing): Promise<Kept> {
  const { port } = parts
  const { declared } = world
  switch (step.kind) {
    case 'tombstone':
      await port.tombstone(step.keyId, step.uid)
      return kept
    case 'remove':
      await port.remove(step.uid, step.keyId)
      return kept
    case 'denyClaim':
      await port.denyClaim(ref, step)
      return kept
    case 'report':
      if (declared !== undefined) await port.report(ref, declared.uid, step.status)
      return kept
    case 'handOver':
      return declared === undefined ? kept : await handOverTo(parts, { ref, world, declared, step, kept })
    case 'register':
    case 'importDigest':
    case 'retire':
    case 'endOverlap':
    case 'grant':
    case 'confirm':
      return declared === undefined ? kept : await change(parts, { ref, world, declared, step, kept })
    default:
      return unreachable(step)
  }
}

/** A key of which nothing is kept, once it has its key ID. */
const first = (declared: Declared, { freshKeyId }: World): KeySecret | undefined =>
  freshKeyId && newSecret(declared, freshKeyId)

/**
 * What is granted along with a writing: the first one of a key brings its grant along, and one for a claim how far its claimant
 * goes; the others leave it as it is.
 */
const grantWith = (kept: Kept, world: World, recipient?: Recipient): Grant | undefined =>
  kept.secret === undefined || recipient?.kind === 'claim' ? toBeGranted(world, recipient) : undefined

async function handOverTo(
  { port, nowMs, random }: ReconcileParts,
  { ref, world, declared, step, kept }: Doing & { readonly declared: Declared; readonly step: HandOver },
): Promise<Kept> {
  const secret = kept.secret ?? first(declared, world)
  if (secret === undefined) return kept
  const { uid } = declared
  const grant = grantWith(kept, world, step.recipient)
  const attempt = await port.openAttempt({ ref, uid, over: kept.revision, recipient: step.recipient, grant })
  return await handOver(attempt, { declared, secret, step, nowMs, random })
}

async function change(
  { port, nowMs }: ReconcileParts,
  { world, declared, step, kept }: Doing & { readonly declared: Declared; readonly step: Change },
): Promise<Kept> {
  const terms = { declared, spec: declared.apiKey.spec, now: nowMs() }
  const secret = step.kind === 'register' ? first(declared, world) : changed(kept.secret, step, terms)
  if (secret === undefined) return kept
  const grant = step.kind === 'grant' ? toBeGranted(world) : grantWith(kept, world)
  return { secret, revision: await port.writeSecret(secret, kept.revision, grant) }
}
