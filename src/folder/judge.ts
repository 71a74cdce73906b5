/** PURE: what the folder says against what is in force -> what is in force from now on, and what is wrong. */
import type { FieldProblem } from '../resources/problem.ts'
import { type AcceptedChange, byArrival, type FolderProblem, isFromFile, titleOf } from './accepted.ts'
import { objectionsTo, type Remark, remarksOn, type Standing } from './between.ts'
import { type Candidate, changeOf, type InForce, judgeOne, readAgain, takenBack } from './candidate.ts'
import { speakerOf } from './place.ts'
import type { Saying, Seen } from './sight.ts'

export type Case = {
  /** By `Kind/namespace/name`. */
  readonly inForce: ReadonlyMap<string, InForce>
  /** By file and line. */
  readonly seen: readonly Seen[]
  /** The file or folder that may hide what can't be seen in a file now; undefined: what is not seen in it is not in it. */
  readonly hidingPlace: (file: string) => string | undefined
  /** Files that were only renamed: old name -> new name. */
  readonly renamed: ReadonlyMap<string, string>
  /** later: an object that is gone stays for now, since it may be on its way to another file. */
  readonly removals: 'now' | 'later'
  /** An object that no file speaks of and that is taken back now, by `Kind/namespace/name`. */
  readonly withdrawn?: string | undefined
  readonly nowMs: number
  readonly newUid: () => string
}

export type Judgement = {
  /** In the order of who came first. */
  readonly inForce: ReadonlyMap<string, InForce>
  readonly changes: readonly AcceptedChange[]
  readonly complaints: readonly Complaint[]
  /** Objects that are gone and were not removed yet. */
  readonly heldBack: number
}

/** A problem whose line is not looked up yet: that takes a moment, and there may be thousands. */
export type Complaint = Omit<FolderProblem, 'line'> & { readonly lineOf: () => number }

type Told = { readonly candidates: Candidate[]; readonly complaints: Complaint[] }

export function judge(folder: Case): Judgement {
  const parts = judging(folder)
  for (;;) {
    const part = parts.next()
    if (part.done) return part.value
  }
}

const OBJECTS_PER_PART = 512

/** The same in parts of a few milliseconds, for whoever has something else to do between them. */
export function* judging(folder: Case): Generator<undefined, Judgement> {
  const told: Told = { candidates: [], complaints: [] }
  const spoken = spokenOf(folder.seen, told.complaints)
  yield
  const firstSeenMs = momentsIn(folder)
  for (const [key, places] of spoken) {
    told.candidates.push(candidateOf({ key, places, firstSeenMs }, folder, told.complaints))
    if (told.candidates.length % OBJECTS_PER_PART === 0) yield
  }
  const unseen = unseenOf(folder, spoken)
  addTo(told.candidates, unseen.kept)
  addTo(told.complaints, hidden(unseen.kept, folder))
  yield
  const settled = settle({ ...told, candidates: told.candidates.map((one) => readForm(one, told.complaints)) })
  yield
  addTo(told.complaints, remarksOn(standingOf(settled)).map(complaintOf(settled, 'warning')))
  yield
  const inForce = inOrder(settled)
  yield
  return {
    inForce,
    changes: [...unseen.removed.map((form) => changeOf('remove', form)), ...changesOf(settled)],
    complaints: told.complaints,
    heldBack: unseen.heldBack,
  }
}

/** Not a spread: a list may be longer than the arguments of a call may be. */
function addTo<T>(list: T[], more: readonly T[]): void {
  for (const one of more) list.push(one)
}

/** Documents by the object they speak of; those that speak of none are reported here. */
function spokenOf(seen: readonly Seen[], complaints: Complaint[]): ReadonlyMap<string, Seen[]> {
  const spoken = new Map<string, Seen[]>()
  for (const document of seen) {
    const { saying } = document
    const key = saying.kind === 'alien' ? undefined : saying.key
    if (key === undefined) addTo(complaints, wrongs(document, problemsIn(saying)))
    else {
      const places = spoken.get(key)
      if (places === undefined) spoken.set(key, [document])
      else places.push(document)
    }
  }
  return spoken
}

const problemsIn = (saying: Saying): readonly FieldProblem[] => (saying.kind === 'manifest' ? [] : saying.problems)

const wrongs = (at: Seen, problems: readonly FieldProblem[]): readonly Complaint[] =>
  problems.map(({ field, path, message }) => ({
    file: at.file,
    lineOf: () => (path.length === 0 ? at.line : at.lineOf(path)),
    field,
    message,
    object: at.saying.title,
    severity: 'error',
  }))

/**
 * The moment of a new object. What can get in another one's way gets one of its own, so that who came first stays so
 * when files are renamed; those of one look come in the order of their places.
 */
function momentsIn({ inForce, nowMs }: Case): (kind: string) => number {
  let last = 0
  for (const { kind, firstSeenMs } of inForce.values()) if (kind !== 'ApiKey') last = Math.max(last, firstSeenMs)
  return (kind) => {
    if (kind === 'ApiKey') return nowMs
    last = Math.max(nowMs, last + 1)
    return last
  }
}

type Spoken = {
  readonly key: string
  readonly places: readonly Seen[]
  readonly firstSeenMs: (kind: string) => number
}

function candidateOf({ key, places, firstSeenMs }: Spoken, folder: Case, complaints: Complaint[]): Candidate {
  const before = folder.inForce.get(key)
  const inForce = before && homed(before, folder)
  const speaker = speakerOf({ places, inForce, mayHide: (file) => folder.hidingPlace(file) !== undefined })
  for (const other of places) if (other !== speaker) complaints.push(duplicate(other, speaker, inForce))
  if (speaker === undefined) return { key, before, form: inForce, news: 'same', seen: undefined }
  const moment = { nowMs: folder.nowMs, newUid: folder.newUid, firstSeenMs }
  const { candidate, wrong } = judgeOne({ key, before, seen: speaker, ...moment })
  addTo(complaints, wrongs(speaker, wrong))
  return candidate
}

function readForm(candidate: Candidate, complaints: Complaint[]): Candidate {
  if (candidate.form === undefined || candidate.form.parsed !== undefined) return candidate
  const form = readAgain(candidate.form)
  if (form.parsed === undefined) complaints.push(unreadable(form, candidate.seen?.line ?? 0))
  return { ...candidate, form }
}

const unreadable = (form: InForce, line: number): Complaint => ({
  file: form.file,
  lineOf: () => line,
  field: '',
  message: 'its last accepted form is no manifest for this release: it is set aside, and nothing of it is in force',
  object: titleOf(form),
  severity: 'error',
})

/** What is in force, under the name that its file has now. */
function homed(before: InForce, { renamed }: Case): InForce {
  const file = renamed.get(before.file)
  return file === undefined ? before : { ...before, file }
}

function duplicate(other: Seen, speaker: Seen | undefined, before: InForce | undefined): Complaint {
  const { title } = other.saying
  const message =
    speaker === undefined
      ? `${title} is in force from ${before?.file}, which can't be read in full now; this place counts once it is gone from there`
      : `${title} is already declared in ${speaker.file}:${speaker.line}; that place counts, not this one`
  return { file: other.file, lineOf: () => other.line, field: '', message, object: title, severity: 'error' }
}

type Unseen = { readonly kept: readonly Candidate[]; readonly removed: readonly InForce[]; readonly heldBack: number }

/** What is in force and nowhere to be seen: gone, unless no file ever held it, its file can't be read in full or it may be on its way. */
function unseenOf(folder: Case, spoken: ReadonlyMap<string, unknown>): Unseen {
  const kept: Candidate[] = []
  const removed: InForce[] = []
  let heldBack = 0
  for (const [key, entry] of folder.inForce) {
    if (spoken.has(key)) continue
    const form = homed(entry, folder)
    const withdrawn = key === folder.withdrawn
    const stays = !withdrawn && (!isFromFile(form) || folder.hidingPlace(form.file) !== undefined)
    if (withdrawn || (!stays && folder.removals === 'now')) removed.push(entry)
    else kept.push({ key, before: entry, form, news: 'same', seen: undefined })
    if (!withdrawn && !stays && folder.removals === 'later') heldBack += 1
  }
  return { kept, removed, heldBack }
}

const NAMED_AT_MOST = 3

/** Said once per place, since deleting something from a file that is broken elsewhere has no effect, and people must know. */
function hidden(kept: readonly Candidate[], { hidingPlace }: Case): readonly Complaint[] {
  const forms = kept.flatMap(({ form }) => (form !== undefined && isFromFile(form) ? form : []))
  return [...Map.groupBy(forms, ({ file }) => hidingPlace(file))].flatMap(([file, objects]) => {
    if (file === undefined) return []
    const named = objects.map(titleOf).sort().slice(0, NAMED_AT_MOST).join(', ')
    const more = objects.length > NAMED_AT_MOST ? ` and ${objects.length - NAMED_AT_MOST} more` : ''
    const message = `stays in force until all of this can be read: ${named}${more}`
    return { file, lineOf: () => 0, field: '', message, object: '', severity: 'warning' }
  })
}

/** Takes back what does not fit beside the others, until all that is left fits. */
function settle({ candidates, complaints }: Told): readonly Candidate[] {
  let settled: readonly Candidate[] = candidates
  for (;;) {
    const objections = objectionsTo(standingOf(settled))
    if (objections.length === 0) return settled
    addTo(complaints, objections.map(complaintOf(settled, 'error')))
    const refused = new Set(objections.map(({ key }) => key))
    settled = settled.map((candidate) => (refused.has(candidate.key) ? takenBack(candidate) : candidate))
  }
}

const standingOf = (candidates: readonly Candidate[]): readonly Standing[] =>
  candidates.flatMap(({ key, form, before, news }) => {
    if (form?.parsed === undefined) return []
    const { parsed } = form
    return [{ key, form, parsed, before: news === 'same' ? parsed : before?.parsed, news }]
  })

function complaintOf(all: readonly Candidate[], severity: Complaint['severity']): (remark: Remark) => Complaint {
  let byKey: ReadonlyMap<string, Candidate> | undefined
  return ({ key, path, field, message }) => {
    byKey ??= new Map(all.map((candidate) => [candidate.key, candidate]))
    const { seen, form } = byKey.get(key) ?? {}
    const object = seen?.saying.title ?? (form === undefined ? '' : titleOf(form))
    // where it stood when it was seen last says nothing about the file as it is now
    const lineOf = () => seen?.lineOf(path) ?? 0
    return { file: form?.file ?? '', lineOf, field, message, object, severity }
  }
}

const inOrder = (settled: readonly Candidate[]): ReadonlyMap<string, InForce> =>
  new Map(
    settled
      .flatMap(({ key, form }) => (form === undefined ? [] : [{ key, form }]))
      .sort((a, b) => byArrival(a.form, b.form))
      .map(({ key, form }) => [key, form]),
  )

/** A document that only moved inside its file is nothing to store. */
const changesOf = (settled: readonly Candidate[]): readonly AcceptedChange[] =>
  settled.flatMap(({ before, form, news }) =>
    form !== undefined && (news !== 'same' || form.file !== before?.file) ? [changeOf('put', form)] : [],
  )
