/** What comes into force of what a look found: where this process keeps the accepted forms, and where another one does. */
import type { Manifest } from '../resources/manifest.ts'
import { sameJson } from '../resources/same-json.ts'
import { type AcceptedChange, type AcceptedForms, objectKey } from './accepted.ts'
import { changeOf, type InForce, readAgain } from './candidate.ts'
import type { Judgement } from './judge.ts'
import type { Seen } from './sight.ts'
import { pending, takenAway } from './taken-away.ts'

type Forms = ReadonlyMap<string, InForce>

export type Kept = {
  readonly inForce: Forms
  /** Against what was in force until now. */
  readonly changed: readonly AcceptedChange[]
  /** Why it could not be stored: only what takes away is in force of it. */
  readonly failure: { readonly error: unknown } | undefined
  /** Objects whose manifest gives something that its keeper has not accepted yet. */
  readonly waiting: number
}

export type Keeping = {
  /** What a look is judged against. */
  readonly before: (seen: readonly Seen[]) => Forms
  readonly keep: (judgement: Judgement, first: boolean) => Kept
}

const unread = (forms: ReturnType<AcceptedForms['all']>): Map<string, InForce> =>
  new Map(forms.map((form) => [objectKey(form), { ...form, parsed: undefined }]))

/** Kept here: what is stored is in force, and of what can't be stored whatever takes away. */
export function keptHere(forms: AcceptedForms): Keeping {
  let inForce: Forms = unread(forms.all())
  /** In force and not stored yet. */
  let unsaved: readonly AcceptedChange[] = []
  return {
    before: () => inForce,
    keep: (judgement, first) => {
      const changes = pending(unsaved, judgement.changes)
      try {
        if (changes.length > 0) forms.apply(changes)
        inForce = judgement.inForce
        unsaved = []
        return { inForce, changed: changes, failure: undefined, waiting: 0 }
      } catch (error) {
        // at the start nothing is in force yet that could be taken away from
        if (first) throw error
        const taken = takenAway(inForce, judgement)
        inForce = taken.inForce
        unsaved = pending(unsaved, taken.changes)
        return { inForce, changed: taken.changes, failure: { error }, waiting: 0 }
      }
    },
  }
}

/** Forms that another process keeps. */
export type FormsElsewhere = {
  /** What became of them since it was asked before; at first all of them. */
  readonly news: () => readonly AcceptedChange[]
}

/**
 * Kept by another process: what it accepted is the bound of what may be given, and a manifest can only take away from it
 * until that process has accepted the manifest too. Nothing of it is remembered: in force is what follows from the two.
 */
export function keptElsewhere(forms: FormsElsewhere): Keeping {
  const accepted = new Map<string, InForce>()
  let against = accepted
  let inForce: Forms = new Map()
  /** Uids of objects that a second look found gone from the folder, while they are still kept. */
  let gone: ReadonlySet<string> = new Set()

  return {
    before: (seen) => {
      update(accepted, forms.news())
      gone = stillGone(gone, accepted, seen)
      against = gone.size === 0 ? accepted : new Map([...accepted].filter(([, { uid }]) => !gone.has(uid)))
      return against
    },
    keep: (judgement) => {
      const { changes } = judgement
      const next = changes.length === 0 ? judgement.inForce : takenAway(read(against, changes), judgement).inForce
      const removed = changes.flatMap(({ kind, accepted: { uid } }) => (kind === 'remove' ? [uid] : []))
      if (removed.length > 0) gone = new Set([...gone, ...removed])
      knowBy(accepted, judgement)
      const changed = differences(inForce, next)
      inForce = next
      return { inForce, changed, failure: undefined, waiting: changes.filter((change) => waits(change, next)).length }
    },
  }
}

function update(accepted: Map<string, InForce>, news: readonly AcceptedChange[]): void {
  for (const { kind, accepted: form } of news) {
    const key = objectKey(form)
    if (kind === 'put') accepted.set(key, { ...form, parsed: undefined })
    // the same name may have been made again
    else if (accepted.get(key)?.uid === form.uid) accepted.delete(key)
  }
}

/** What is seen again is judged again; what its keeper has removed too needs no remembering. */
function stillGone(gone: ReadonlySet<string>, accepted: Forms, seen: readonly Seen[]): ReadonlySet<string> {
  if (gone.size === 0) return gone
  const spoken = new Set(seen.map(({ saying }) => (saying.kind === 'alien' ? undefined : saying.key)))
  return new Set([...accepted].flatMap(([key, { uid }]) => (gone.has(uid) && !spoken.has(key) ? [uid] : [])))
}

/** What is compared must have been read. */
function read(forms: Map<string, InForce>, changes: readonly AcceptedChange[]): Forms {
  for (const { accepted } of changes) {
    const form = forms.get(objectKey(accepted))
    if (form !== undefined) forms.set(objectKey(accepted), readAgain(form))
  }
  return forms
}

/** With what the folder says in the same words, so that nothing is compared or parsed twice. */
function knowBy(accepted: Map<string, InForce>, { inForce, changes }: Judgement): void {
  const changing = new Set(changes.map((change) => objectKey(change.accepted)))
  for (const [key, form] of accepted) {
    const judged = inForce.get(key)
    if (judged !== undefined && judged !== form && !changing.has(key)) accepted.set(key, judged)
  }
}

/** Its keeper has not accepted all that the manifest says, and what is left to accept is more than an end. */
const waits = ({ kind, accepted }: AcceptedChange, inForce: Forms): boolean =>
  kind === 'put' && !sameJson(inForce.get(objectKey(accepted))?.manifest, accepted.manifest)

function differences(before: Forms, now: Forms): readonly AcceptedChange[] {
  const changed: AcceptedChange[] = []
  let still = 0
  for (const [key, form] of now) {
    const was = before.get(key)
    if (was?.uid === form.uid) still++
    if (was !== form && (was?.uid !== form.uid || !isSame(was, form))) changed.push(changeOf('put', form))
  }
  if (still === before.size) return changed
  const gone = [...before].flatMap(([key, form]) => (now.get(key)?.uid === form.uid ? [] : [changeOf('remove', form)]))
  return [...gone, ...changed]
}

type Compared = { readonly manifest: unknown; readonly parsed: Manifest | undefined }

const isSame = (was: Compared, is: Compared): boolean =>
  was.manifest === is.manifest || (sameJson(was.parsed, is.parsed) && sameJson(was.manifest, is.manifest))
