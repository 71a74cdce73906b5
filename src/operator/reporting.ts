/** What is said of policy, kept right by the replica that leads: a pass over all of it soon after a change, and never most of the time. */
import { makeQueue, type QueueParts } from '../runtime/queue.ts'

export type ReportingParts<Due> = {
  /** What is not said as it should be, of all that is there, by a name for people. */
  readonly due: () => ReadonlyMap<string, Due>
  /** overtaken: it was changed since it was looked at, so it is to be looked at again. */
  readonly write: (due: Due) => Promise<'written' | 'overtaken'>
  readonly onTrouble: (what: string, error: unknown, retryMs: number | undefined) => void
  readonly steadyMs: () => number
  readonly jitter: () => number
  readonly askedToWaitMs?: QueueParts['askedToWaitMs']
  readonly after?: QueueParts['after']
}

export type Reporting = {
  /** Something changed; a pass comes soon. */
  readonly changed: () => void
  /** Nothing begins any more; resolves when what was begun is over. */
  readonly stop: () => Promise<void>
}

/** What is applied together is looked at together. */
const GATHER_MS = 200
/** What takes a second is done every ten seconds at most. */
const REST = 9
const WRITES_AT_ONCE = 8
/** No object has this name. */
const PASS = ''

/** Begins with a pass over all. */
export function startReporting<Due>(parts: ReportingParts<Due>): Reporting {
  const { write, steadyMs, jitter, after, askedToWaitMs } = parts
  let due: ReadonlyMap<string, Due> = new Map()
  let asked = false
  let restMs = 0

  const pass = (): void => {
    asked = false
    const beganMs = steadyMs()
    due = parts.due()
    restMs = (steadyMs() - beganMs) * REST
    for (const what of due.keys()) queue.add(what)
  }

  const changed = (): void => {
    if (asked) return
    asked = true
    queue.addAfter(PASS, Math.max(GATHER_MS, restMs))
  }

  const run = async (what: string): Promise<undefined> => {
    if (what === PASS) {
      pass()
      return
    }
    // what was right after all in a later pass is not due any more
    const one = due.get(what)
    if (one !== undefined && (await write(one)) === 'overtaken') changed()
  }

  const queue = makeQueue({
    run,
    concurrency: WRITES_AT_ONCE,
    onTrouble: parts.onTrouble,
    jitter,
    ...(after && { after }),
    ...(askedToWaitMs && { askedToWaitMs }),
  })
  queue.add(PASS)
  return { changed, stop: queue.stop }
}
