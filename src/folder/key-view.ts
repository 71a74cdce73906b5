/** Which digests are in force where another process keeps them: those of accepted ApiKeys, under the same uid and name. */
import { setImmediate as pause } from 'node:timers/promises'
import type { KeyIndex } from '../enforce/key-index.ts'
import type { ApiKey } from '../resources/api-key.ts'
import { type Indexed, recordOf } from '../resources/key-record.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { secretInForce } from '../resources/secret-in-force.ts'

export type KeyViewParts = {
  readonly keys: KeyIndex
  /** The ApiKey of `namespace/name` that is in force. */
  readonly find: (name: string) => { readonly uid: string; readonly apiKey: ApiKey } | undefined
  readonly secretOf: (uid: string) => KeySecret | undefined
  readonly nowMs: () => number
}

export type KeyView = {
  /** Works out anew what is in force of these, by `namespace/name`. A few of them are done when this returns. */
  readonly update: (names: Iterable<string>) => Promise<void>
}

/** Keys are taken in parts, so that requests are answered meanwhile. */
const KEYS_PER_TURN = 256

export function makeKeyView({ keys, find, secretOf, nowMs }: KeyViewParts): KeyView {
  /** The uid that is in the index, by `namespace/name`. */
  const told = new Map<string, string>()
  const waiting = new Set<string>()
  let draining = false
  let drained = Promise.resolve()

  const inForceOf = (name: string): (Indexed & { readonly uid: string }) | undefined => {
    const declared = find(name)
    const secret = declared && secretOf(declared.uid)
    if (declared === undefined || secret?.name !== name) return undefined
    const inForce = secretInForce(declared.apiKey.spec, secret, nowMs())
    return { uid: declared.uid, ...recordOf(declared.apiKey, inForce) }
  }

  /** Whether another key still holds one of its digests. */
  const isHeldUp = ({ record, current, previous }: Indexed): boolean =>
    [current, previous?.digest].some((digest) => digest !== undefined && keys.find(digest)?.record !== record)

  const tell = (names: readonly string[]): readonly string[] => {
    const indexed = names.map((name) => ({ name, indexed: inForceOf(name) }))
    for (const { name, indexed: now } of indexed) {
      const uid = told.get(name)
      if (uid === undefined || uid === now?.uid) continue
      keys.remove(uid)
      told.delete(name)
    }
    return indexed.flatMap(({ name, indexed: now }) => {
      if (now === undefined) return []
      keys.put(now.uid, now.record, now)
      told.set(name, now.uid)
      return isHeldUp(now) ? [name] : []
    })
  }

  const drain = async (): Promise<void> => {
    try {
      const heldUp: string[] = []
      while (waiting.size > 0) {
        const names = [...waiting].slice(0, KEYS_PER_TURN)
        for (const name of names) waiting.delete(name)
        heldUp.push(...tell(names))
        if (waiting.size > 0) await pause()
      }
      // a digest that went from one key to another: by now the one before has let go of it
      if (heldUp.length > 0) tell(heldUp)
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
