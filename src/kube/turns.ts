/** Of every key that was written or attempted in this process: which of two came last. Nothing is kept of keys that are gone. */
import { type KeyRef, nameOf } from '../core/key-ref.ts'

export type Turns = {
  /** Ends the turn of whoever was at it. */
  readonly next: (ref: KeyRef, uid: string) => number
  /** 0: there was none. */
  readonly of: (uid: string) => number
  /** There is no ApiKey of that name. */
  readonly forget: (ref: KeyRef) => void
  readonly size: () => number
}

export function makeTurns(): Turns {
  const turns = new Map<string, number>()
  const uids = new Map<string, string>()
  let latest = 0

  const forget = (ref: KeyRef): void => {
    turns.delete(uids.get(nameOf(ref)) ?? '')
    uids.delete(nameOf(ref))
  }

  return {
    next: (ref, uid) => {
      if (uids.get(nameOf(ref)) !== uid) forget(ref)
      uids.set(nameOf(ref), uid)
      latest += 1
      turns.set(uid, latest)
      return latest
    },
    of: (uid) => turns.get(uid) ?? 0,
    forget,
    size: () => turns.size + uids.size,
  }
}
