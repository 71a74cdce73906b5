/** A folder of manifests: what it says is judged against what was accepted before, and what stands is in force. */
import { setImmediate as pause } from 'node:timers/promises'
import { Trouble } from '../core/trouble.ts'
import type { Manifest } from '../resources/manifest.ts'
import { sameJson } from '../resources/same-json.ts'
import { steadyMs } from '../runtime/system.ts'
import { type Accepted, type AcceptedForms, byPlace, type FolderProblem, type Snapshot } from './accepted.ts'
import type { InForce } from './candidate.ts'
import { BACKGROUND, STRAIGHT } from './disk.ts'
import { type Complaint, type Judgement, judge, judging } from './judge.ts'
import { type FormsElsewhere, keptElsewhere, keptHere } from './keeping.ts'
import { makeNews, NO_NEWS } from './news.ts'
import { hidingPlacesIn, problemsOfFiles, type ReadFiles, readChanged, renamedFiles } from './reading.ts'
import type { Seen } from './sight.ts'
import { type Submission, type Submitted, submitTo } from './submit.ts'
import { type Tree, walk } from './tree.ts'
import { makeTurns, type Removals } from './turns.ts'
import { startWatching } from './watching.ts'
import { notStored, notTaken, problemOfWatch } from './whole.ts'

export type { Accepted, AcceptedChange, AcceptedForms, FolderProblem, Snapshot } from './accepted.ts'

export type FolderParts = {
  readonly dir: string
  readonly forms: AcceptedForms | FormsElsewhere
  readonly nowMs: () => number
  readonly newUid: () => string
}

export type Folder = {
  /** Empty until the first scan. */
  readonly current: () => Snapshot
  /** Looks at once; rejects if the folder can't be read at the first look, or if what it says can't be stored. */
  readonly rescan: () => Promise<Snapshot>
  /** What is known of the folder is judged again: another process accepted something. */
  readonly rejudge: () => Promise<Snapshot>
  /** Objects whose manifest gives something that the keeper of the accepted forms has not accepted yet. */
  readonly waiting: () => number
  /** An object that no file speaks of, given, changed or taken back. Rejects as long as nothing is in force. */
  readonly submit: (submission: Submission) => Promise<Submitted>
  /** Calls back whenever something else is in force or something else is wrong. */
  readonly watch: (onChange: (snapshot: Snapshot) => void) => { readonly stop: () => void }
}

/** The folder can't be read at all, so that there is nothing to start from. */
export class FolderUnreadable extends Error {
  readonly code = 'folder_unreadable'
}

/** Nothing was accepted before: what `verify` judges against. */
export const NO_FORMS: AcceptedForms = { all: () => [], apply: () => undefined }

type State = {
  readonly tree: Tree
  readonly files: ReadFiles
  /** Of folders and files, beside those of objects. */
  readonly problems: readonly FolderProblem[]
  readonly heldBack: number
  readonly waiting: number
  /** Why the last look could not be stored: only what takes away is in force of it. */
  readonly failure: { readonly error: unknown } | undefined
  readonly snapshot: Snapshot
}

type SeenTree = Pick<State, 'tree' | 'files' | 'problems'>

/** Beside what files say. */
type Given = { readonly seen?: Seen; readonly withdrawn?: string }

const documentsIn = ({ files }: SeenTree): readonly Seen[] => [...files.values()].flatMap(({ sight }) => sight.seen)

const NOTHING: Snapshot = { accepted: new Map(), problems: [], changed: [], ...NO_NEWS }

export function openFolder({ dir, forms, nowMs, newUid }: FolderParts): Folder {
  const keeping = 'apply' in forms ? keptHere(forms) : keptElsewhere(forms)
  let state: State = {
    tree: { files: [], folders: [], problems: [], blind: [] },
    files: new Map(),
    problems: [],
    heldBack: 0,
    waiting: 0,
    failure: undefined,
    snapshot: NOTHING,
  }
  let loaded = false
  let failing = false
  let touched: string[] = []
  let unwatched: readonly FolderProblem[] = []
  let tell: (snapshot: Snapshot) => void = () => {}
  const newsOf = makeNews()

  /** Whether the next look is one at the folder, and not only at what is known of it. */
  let atFolder = true

  const scan = async (removals: Removals): Promise<State> => {
    if (!atFolder) {
      state = await judged(state, removals)
      if (hasNews(state.snapshot)) tell(state.snapshot)
      return state
    }
    atFolder = false
    const hints = new Set(touched)
    touched = []
    const disk = loaded ? BACKGROUND : STRAIGHT
    const tree = await walk(dir, disk)
    if (!loaded) mustBeReadable(dir, tree)
    const files = await readChanged({ root: dir, disk, tree, before: state.files, touched: hints })
    const problems = [...problemsOfFiles(tree, files), ...unwatched]
    const idle = loaded && !failing && state.failure === undefined && isAsBefore(files, problems)
    state = idle ? unchanged(tree) : await judged({ tree, files, problems }, removals)
    loaded = true
    failing = false
    // here and not where a look was asked for: several may have asked for this one
    if (hasNews(state.snapshot)) tell(state.snapshot)
    return state
  }

  const isAsBefore = (files: ReadFiles, problems: readonly FolderProblem[]): boolean =>
    state.heldBack === 0 &&
    files.size === state.files.size &&
    [...files].every(([name, file]) => state.files.get(name) === file) &&
    sameJson(problems, state.problems)

  const unchanged = (tree: Tree): State => ({
    ...state,
    tree,
    snapshot: { ...state.snapshot, changed: [], ...NO_NEWS },
  })

  const judgementOf = async (seen: SeenTree, removals: Removals, given: Given = {}): Promise<Judgement> => {
    const documents = documentsIn(seen)
    const asked = {
      inForce: keeping.before(documents),
      seen: given.seen === undefined ? documents : [...documents, given.seen],
      withdrawn: given.withdrawn,
      hidingPlace: hidingPlacesIn(seen.tree, seen.files),
      renamed: renamedFiles(state.files, seen.files),
      removals,
      nowMs: nowMs(),
      newUid,
    }
    return loaded ? await betweenRequests(judging(asked)) : judge(asked)
  }

  const judged = async (seen: SeenTree, removals: Removals): Promise<State> =>
    await taken(seen, await judgementOf(seen, removals))

  const taken = async (seen: SeenTree, judgement: Judgement): Promise<State> => {
    const { heldBack, complaints } = judgement
    const { inForce, changed, failure, waiting } = keeping.keep(judgement, !loaded)
    const accepted = readable(inForce)
    const problems = [...seen.problems, ...(await withLines(complaints))]
    if (failure !== undefined) problems.push(notStored(failure.error))
    problems.sort(inReadingOrder)
    // an object on its way to another file makes no news
    const news = heldBack > 0 ? NO_NEWS : newsOf(problems)
    const snapshot = { accepted, problems, changed, ...news }
    const { tree, files, problems: ofFiles } = seen
    return { tree, files, problems: ofFiles, heldBack, waiting, failure, snapshot }
  }

  const turns = makeTurns(scan)
  const lookAtFolder = (removals: Removals): Promise<State> => {
    atFolder = true
    return turns.next(removals)
  }

  const watch: Folder['watch'] = (onChange) => {
    tell = onChange
    const look = async (removals: Removals) => {
      const startMs = steadyMs()
      const { tree, files, heldBack, failure } = await lookAtFolder(removals)
      const unsettled = [...files.values()].some((file) => file.unsettled)
      const tookMs = steadyMs() - startMs
      return { folders: tree.folders, heldBack, unsettled, unstored: failure !== undefined, tookMs }
    }
    const watching = startWatching({
      root: dir,
      look,
      touched: (file) => touched.push(file),
      unwatched: (folders) => {
        unwatched = folders.map(problemOfWatch)
      },
      failed: (error) => {
        failing = true
        const problems = [...state.snapshot.problems, notTaken(error)]
        const news = newsOf(problems)
        if (news.reported.length > 0) onChange({ ...state.snapshot, problems, changed: [], ...news })
      },
    })
    const stop = () => {
      tell = () => {}
      watching.stop()
    }
    return { stop }
  }

  const rescan = async () => {
    const { snapshot, failure } = await lookAtFolder('now')
    if (failure !== undefined) throw failure.error
    return snapshot
  }
  const rejudge = async () => (await turns.next('later')).snapshot
  const submit = (submission: Submission): Promise<Submitted> =>
    turns.alone(async () => {
      if (!loaded) throw new Trouble('manifests_not_loaded', 'retry')
      return await submitTo(
        {
          seen: documentsIn(state),
          current: state.snapshot.accepted.get(submission.key),
          judge: (given) => judgementOf(state, 'later', given),
          keep: async (judgement) => {
            state = await taken(state, judgement)
            if (hasNews(state.snapshot)) tell(state.snapshot)
            return state.failure
          },
        },
        submission,
      )
    })
  return { current: () => state.snapshot, rescan, rejudge, submit, waiting: () => state.waiting, watch }
}

function mustBeReadable(dir: string, { problems, blind }: Tree): void {
  if (!blind.includes('')) return
  const why = problems.find(({ file }) => file === '')?.message ?? "can't be read"
  throw new FolderUnreadable(`${dir}: ${why}`)
}

/** So long requests may wait for a part of a judgement. */
const TURN_MS = 3

async function betweenRequests(parts: ReturnType<typeof judging>): Promise<Judgement> {
  let sinceMs = Number.NEGATIVE_INFINITY
  for (;;) {
    if (steadyMs() - sinceMs > TURN_MS) {
      await pause()
      sinceMs = steadyMs()
    }
    const part = parts.next()
    if (part.done) {
      // what becomes of it takes its own moment
      await pause()
      return part.value
    }
  }
}

/** A wrong file of 10,000 documents must not keep requests waiting while lines are counted. */
const LINES_PER_TURN = 32

async function withLines(complaints: readonly Complaint[]): Promise<readonly FolderProblem[]> {
  const problems: FolderProblem[] = []
  for (const { lineOf, ...complaint } of complaints) {
    problems.push({ ...complaint, line: lineOf() })
    if (problems.length % LINES_PER_TURN === 0) await pause()
  }
  return problems
}

/** By file, line and object; problems of one object in the order in which they were found. */
const inReadingOrder = (a: FolderProblem, b: FolderProblem): number =>
  byPlace(a, b) || (a.object < b.object ? -1 : a.object > b.object ? 1 : 0)

type Read = Accepted & { readonly parsed: Manifest }

const isRead = (entry: readonly [string, InForce]): entry is [string, Read] => entry[1].parsed !== undefined

const readable = (inForce: ReadonlyMap<string, InForce>): ReadonlyMap<string, Read> =>
  new Map([...inForce].filter(isRead))

const hasNews = ({ changed, reported, solved }: Snapshot): boolean =>
  changed.length > 0 || reported.length > 0 || solved.length > 0
