/** Keeps a folder in force: looks when something was touched, and now and then in any case. */
import { makeSettler } from './settler.ts'
import type { FoundFolder } from './tree.ts'
import { type Unwatched, watchFolders } from './watchers.ts'

export type Looked = {
  readonly folders: readonly FoundFolder[]
  /** Objects that are gone and wait for a second look. */
  readonly heldBack: number
  /** Something was caught in the middle of being written. */
  readonly unsettled: boolean
  /** What was seen could not be stored. */
  readonly unstored: boolean
  readonly tookMs: number
}

export type Watching = {
  readonly root: string
  readonly look: (removals: 'now' | 'later') => Promise<Looked>
  readonly touched: (file: string) => void
  /** Folders of which nobody tells when they change. */
  readonly unwatched: (folders: readonly Unwatched[]) => void
  /** A look that failed as a whole; the next one follows by itself. */
  readonly failed: (error: unknown) => void
}

// an editor writes a file in several steps, all within a few milliseconds
const EDIT = { quietMs: 50, mostMs: 300 }
// a checkout takes a file away here and puts it down there: longer, and still within the second that is promised
const REMOVAL = { quietMs: 100, mostMs: 400 }
/** Links may lead to where nobody watches, and watches can run out: looked at anyway, at most one fiftieth of the time. */
const ANYWAY_MS = 500
const SHARE = 50
/** Where something waits for the store. */
const UNSTORED_SHARE = 5

export function startWatching({ root, look, touched, unwatched, failed }: Watching): { readonly stop: () => void } {
  let stopped = false
  let anyway: NodeJS.Timeout | undefined
  let unwatchedBefore = ''

  const edit = makeSettler(EDIT, () => run('later'))
  const removal = makeSettler(REMOVAL, () => run('now'))
  const watchers = watchFolders(root, (file) => {
    touched(file)
    edit.touch()
    if (removal.isPending()) removal.touch()
  })

  const next = (inMs: number) => {
    clearTimeout(anyway)
    if (!stopped) anyway = setTimeout(() => run('later'), inMs)
  }

  const looked = ({ folders, heldBack, unsettled, unstored, tookMs }: Looked) => {
    if (stopped) return
    const followed = watchers.follow(folders)
    const unwatchedNow = JSON.stringify(followed.failed)
    if (unwatchedNow !== unwatchedBefore) unwatched(followed.failed)
    // what happened in a new folder before it was watched went unheard
    if (followed.added > 0 || unsettled || unwatchedNow !== unwatchedBefore) edit.touch()
    unwatchedBefore = unwatchedNow
    if (heldBack > 0) removal.touch()
    else removal.cancel()
    next(Math.max(ANYWAY_MS, tookMs * (unstored ? UNSTORED_SHARE : SHARE)))
  }

  const run = (removals: 'now' | 'later') => {
    look(removals).then(looked, (error: unknown) => {
      if (stopped) return
      failed(error)
      next(ANYWAY_MS)
    })
  }

  edit.touch()
  const stop = () => {
    stopped = true
    clearTimeout(anyway)
    edit.cancel()
    removal.cancel()
    watchers.close()
  }
  return { stop }
}
