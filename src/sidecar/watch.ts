/** What is under way is asked about again and again, and cut when it may no longer be. */
import type { Refusal } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import type { CheckRequest } from '../core/request.ts'
import type { Check } from '../enforce/check.ts'
import { type Placed, Places } from '../runtime/places.ts'

export type Watched = Placed & {
  readonly request: CheckRequest
  /** Nothing that a proxy which stops could wait for: a tunnel, an event stream. */
  readonly endless: boolean
  /** Called at most once. `refusal`: what a caller can be told that has not been answered yet. */
  readonly cut: (why: string, refusal: Refusal) => void
}

export type Watch = {
  /** From the start to the end of every request that the upstream is asked: nothing in here may cost anything. */
  readonly add: (watched: Watched) => void
  readonly remove: (watched: Watched) => void
  /** Asks about all of them now: after a change that may have taken something away. */
  readonly now: () => void
  /** Ends those that would not end by themselves. */
  readonly cutEndless: (why: string) => void
}

/** So many are asked about in one go: some milliseconds, in which nothing else runs. */
const BATCH = 500

export function makeWatch(recheck: Check, everyMs: number): Watch {
  const open = new Places<Watched>()
  const cut = (watched: Watched, why: string, refusal: Refusal) => {
    if (!open.has(watched)) return
    open.remove(watched)
    watched.cut(why, refusal)
  }
  const asking = asker(recheck, cut)
  const sweep = sweeper(open, asking.ask)
  let timer: NodeJS.Timeout | undefined
  const tick = () => {
    asking.intervals++
    sweep()
    if (open.all().length > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    add: (watched) => {
      open.add(watched)
      // one clock for all of them: it stops once an interval ends with none
      timer ??= setInterval(tick, everyMs).unref()
    },
    remove: (watched) => open.remove(watched),
    now: sweep,
    cutEndless: (why) => {
      for (const watched of open.all()) if (watched.endless) cut(watched, why, UNAVAILABLE)
    },
  }
}

const UNAVAILABLE: Refusal = { ...deny('unavailable', 'it can not be confirmed any more'), caller: [] }

type Asker = { intervals: number; readonly ask: (watched: Watched) => void }

function asker(recheck: Check, cut: (watched: Watched, why: string, refusal: Refusal) => void): Asker {
  /** In which interval an answer was asked for that has not come yet. */
  const waiting = new WeakMap<Watched, number>()
  const asker: Asker = {
    intervals: 0,
    ask: (watched) => {
      const since = waiting.get(watched)
      if (since !== undefined) {
        // no answer for a whole interval: what can not be confirmed does not stay open
        if (asker.intervals - since > 1) cut(watched, 'unanswered', UNAVAILABLE)
        return
      }
      const verdict = recheck(watched.request)
      if (!(verdict instanceof Promise)) {
        if (verdict.kind !== 'allow') cut(watched, verdict.code, verdict)
        return
      }
      waiting.set(watched, asker.intervals)
      verdict.then(
        (late) => {
          waiting.delete(watched)
          if (late.kind !== 'allow') cut(watched, late.code, late)
        },
        () => cut(watched, 'unavailable', UNAVAILABLE),
      )
    },
  }
  return asker
}

/** Goes through all of them in batches; a change that comes meanwhile starts over, however often it comes. */
function sweeper(open: Places<Watched>, ask: (watched: Watched) => void): () => void {
  let left: Watched[] = []
  let running = false
  const batch = () => {
    for (const watched of left.splice(0, BATCH)) if (open.has(watched)) ask(watched)
    running = left.length > 0
    if (running) setImmediate(batch)
  }
  return () => {
    left = open.all()
    if (!running) batch()
  }
}
