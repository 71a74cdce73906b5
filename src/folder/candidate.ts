/** PURE: one object by itself, as the API server would take its creation or its change. */
import { type Manifest, parseManifest, refusedAtCreation, refusedChanges } from '../resources/manifest.ts'
import type { FieldProblem } from '../resources/problem.ts'
import { sameJson } from '../resources/same-json.ts'
import { type Accepted, type AcceptedChange, isFromFile } from './accepted.ts'
import type { Seen } from './sight.ts'

/** parsed is undefined for what comes from the store and was not needed yet, or is no manifest for this release. */
export type InForce = Accepted & { readonly parsed: Manifest | undefined }

/** What is parsed is made anew at every start, and is nothing to store. */
export const changeOf = (kind: AcceptedChange['kind'], { parsed: _parsed, ...accepted }: InForce): AcceptedChange => ({
  kind,
  accepted,
})

/** One object: what is in force of it, and what would be. */
export type Candidate = {
  readonly key: string
  readonly before: InForce | undefined
  readonly form: InForce | undefined
  readonly news: 'same' | 'changed' | 'new'
  /** The document that speaks of it; undefined: none can be seen. */
  readonly seen: Seen | undefined
}

export type Question = {
  readonly key: string
  readonly before: InForce | undefined
  readonly seen: Seen
  readonly nowMs: number
  readonly newUid: () => string
  readonly firstSeenMs: (kind: string) => number
}

export type Answer = { readonly candidate: Candidate; readonly wrong: readonly FieldProblem[] }

export function judgeOne(question: Question): Answer {
  const { before, seen } = question
  if (seen.saying.kind !== 'manifest') return refused(question, seen.saying.problems)
  return before === undefined
    ? created(question, seen.saying.manifest)
    : updated({ ...question, before }, seen.saying.manifest)
}

/** What was in force stays, or nothing does. */
const refused = ({ key, before, seen }: Question, wrong: readonly FieldProblem[]): Answer => ({
  candidate: { key, before, form: before && stayingAt(before, seen), news: 'same', seen },
  wrong,
})

function created(question: Question, parsed: Manifest): Answer {
  const { key, seen, nowMs, newUid, firstSeenMs } = question
  const wrong = refusedAtCreation(parsed, nowMs)
  if (wrong.length > 0) return refused(question, wrong)
  const { file, line, value: manifest } = seen
  const { kind, name } = parsed
  const namespace = 'namespace' in parsed ? parsed.namespace : ''
  const whole = { kind, namespace, name, uid: newUid(), generation: 1, manifest, parsed }
  const form = { ...whole, file, line, firstSeenMs: firstSeenMs(kind) }
  return { candidate: { key, before: undefined, form, news: 'new', seen }, wrong }
}

function updated(question: Question & { readonly before: InForce }, parsed: Manifest): Answer {
  const { key, before, seen, nowMs } = question
  const { file, line, value: manifest } = seen
  if (sameJson(before.manifest, manifest)) {
    const known = before.parsed !== undefined && before.manifest === manifest
    const form = known ? movedTo(before, seen) : { ...before, file, line, manifest, parsed }
    return { candidate: { key, before, form, news: 'same', seen }, wrong: [] }
  }
  const earlier = readAgain(before)
  const wrong = earlier.parsed === undefined ? [] : refusedChanges(earlier.parsed, parsed, nowMs)
  if (wrong.length > 0) return refused({ ...question, before: earlier }, wrong)
  const raised = earlier.parsed === undefined || !sameJson(earlier.parsed.spec, parsed.spec)
  const form = { ...before, file, line, manifest, parsed, generation: before.generation + (raised ? 1 : 0) }
  return { candidate: { key, before: earlier, form, news: 'changed', seen }, wrong }
}

/**
 * Also what is refused counts as its place: if that file can't be read one day, the object may still be in it. What was
 * given without a file does not become a file's that is refused.
 */
const stayingAt = (form: InForce, seen: Seen): InForce => (isFromFile(form) ? movedTo(form, seen) : form)

const movedTo = (form: InForce, { file, line }: Seen): InForce =>
  form.file === file && form.line === line ? form : { ...form, file, line }

/** As it was before this look. */
export const takenBack = (candidate: Candidate): Candidate => {
  const { before, seen } = candidate
  return { ...candidate, form: before && (seen === undefined ? before : stayingAt(before, seen)), news: 'same' }
}

/** Forms from the store are parsed only where no file says the same. */
export function readAgain(form: InForce): InForce {
  if (form.parsed !== undefined) return form
  const read = parseManifest(form.manifest)
  return read.ok ? { ...form, parsed: read.manifest } : form
}
