/** Which digests are in force where others keep them: worked out anew, key by key, whenever something of a key changes. */
import type { KeyRecord } from '../core/record.ts'
import type { Digests, KeyIndex } from './key-index.ts'

export type KeyViewParts = {
  readonly keys: KeyIndex
  /** What is in force of `namespace/name` now; undefined: nothing. */
  readonly inForce: (name: string) => InForce | undefined
  /** Resolves when others had their turn. */
  readonly pause: () => Promise<unknown>
}

export type InForce = Digests & { readonly record: KeyRecord }

export type KeyView = {
  /** Works out anew what is in force of these, by `namespace/name`. A few of them are done when this returns. */
  readonly update: (names: Iterable<string>) => Promise<void>
}

/** Many keys are taken in parts, so that requests are answered meanwhile; a few of them wait for nothing. */
const KEYS_PER_TURN = 256

export function makeKeyView({ keys, inForce, pause }: KeyViewParts): KeyView {
  const waiting = new Set<string>()
  /** Whose digest another key still holds. */
  const heldUp = new Set<string>()
  let draining = false
  let drained = Promise.resolve()

  const isHeldUp = ({ record, current, previous }: InForce): boolean =>
    [current, previous?.digest].some((digest) => digest !== undefined && keys.find(digest)?.record !== record)

  const tell = (names: readonly string[]): void => {
    const all = names.map((name) => ({ name, now: inForce(name) }))
    // first what goes: a digest may go from one of them to another
    for (const { name, now } of all) if (now === undefined) keys.remove(name)
    for (const { name, now } of all) {
      heldUp.delete(name)
      if (now === undefined) continue
      keys.put(name, now.record, now)
      if (isHeldUp(now)) heldUp.add(name)
    }
  }

  let takenThisTurn = 0
  const take = (): readonly string[] => {
    const names = firstOf(waiting, KEYS_PER_TURN - takenThisTurn)
    for (const name of names) waiting.delete(name)
    if (takenThisTurn === 0) {
      void pause().then(() => {
        takenThisTurn = 0
      })
    }
    takenThisTurn += names.length
    return names
  }

  const drain = async (): Promise<void> => {
    try {
      while (waiting.size > 0) {
        if (takenThisTurn >= KEYS_PER_TURN) await pause()
        else tell(take())
      }
      // a digest that went from one key to another: by now the one before may have let go of it
      if (heldUp.size > 0) tell([...heldUp])
    } finally {
      draining = false
    }
  }

  return {
    update: (names) => {
      for (const name of names) waiting.add(name)
      if (!draining) {
        draining = true
        drained = drain()
      }
      return drained
    },
  }
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const first: T[] = []
  for (const one of all) {
    first.push(one)
    if (first.length === count) break
  }
  return first
}
