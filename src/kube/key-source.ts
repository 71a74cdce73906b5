/** Digest Secrets and ApiKeys together: which digests are in force, kept up to date with every piece of news of either. */
import { setImmediate as pause } from 'node:timers/promises'
import type { KeyIndex } from '../enforce/key-index.ts'
import { type InForce, makeKeyView } from '../enforce/key-view.ts'
import type { ApiKey } from '../resources/api-key.ts'
import { type Declared, grantedKey, type Words } from '../resources/granted-key.ts'
import { recordOf } from '../resources/key-record.ts'
import { secretInForce } from '../resources/secret-in-force.ts'
import { makeByUid } from './by-uid.ts'
import type { DeclaredKey, KeptForms, KeptKey, Unreadable } from './kept-key.ts'
import { inOneLine, type SetAside } from './set-aside.ts'

export type KeySourceParts = {
  readonly keys: KeyIndex
  /** The ApiKey of `namespace/name`. */
  readonly declared: (name: string) => DeclaredKey | undefined
  readonly setAside: SetAside
  readonly lean: KeptForms['lean']
  readonly nowMs: () => number
}

export type KeySource = {
  /** A digest Secret is another than before; in force when it returns, unless there are very many. */
  readonly keptChanged: (secret: string, now: Kept, before: Kept) => void
  readonly declaredChanged: (name: string, now: DeclaredKey | undefined, before: DeclaredKey | undefined) => void
  /** Resolves when all of it that is known by now is in force. */
  readonly settled: () => Promise<void>
}

const saysTheSame = (a: DeclaredKey, b: DeclaredKey): boolean =>
  a.uid === b.uid && a.spec === b.spec && a.delivery === b.delivery && a.deleting === b.deleting

type Kept = KeptKey | Unreadable | undefined

const readable = (kept: Kept): KeptKey | undefined => (kept?.kind === 'kept' ? kept : undefined)

export function makeKeySource({ keys, declared, setAside, lean, nowMs }: KeySourceParts): KeySource {
  const byUid = makeByUid()

  /** A key counts only if both are there under the same uid and name. */
  const inForce = (name: string): InForce | undefined => {
    const found = declared(name)
    const kept = found && byUid.get(found.uid)
    if (found === undefined || kept?.secret.name !== name) return noProblem(name)
    const apiKey = readGranted(kept, { ...placeOf(name), ...found })
    if (typeof apiKey === 'string') {
      setAside.note('ApiKey', name, apiKey)
      return undefined
    }
    noProblem(name)
    const { record, current, previous } = recordOf(apiKey, secretInForce(apiKey.spec, kept.secret, nowMs()))
    return { uid: found.uid, record: lean(record), current, previous }
  }

  const noProblem = (name: string): undefined => {
    setAside.note('ApiKey', name, undefined)
  }

  const view = makeKeyView({ keys, inForce, pause })
  let settled = Promise.resolve()
  const update = (names: readonly string[]): void => {
    settled = view.update(names)
  }

  return {
    keptChanged: (secret, now, before) => {
      setAside.note('Secret', secret, now?.kind === 'unreadable' ? now.problem : undefined)
      const [is, was] = [readable(now), readable(before)]
      if (was !== undefined) byUid.remove(was)
      if (is !== undefined) byUid.put(is)
      const next = was && byUid.get(was.secret.uid)
      update([is, was, next].flatMap((one) => (one === undefined ? [] : [one.secret.name])))
    },
    declaredChanged: (name, now, before) => {
      // the status of a key is written now and then, and means nothing here
      if (now !== undefined && before !== undefined && saysTheSame(now, before)) return
      update([name])
    },
    settled: () => settled,
  }
}

/** The key, or what is wrong with it; a defect of ours in one key is one key set aside. */
function readGranted(granted: Words, declared: Declared): ApiKey | string {
  try {
    const read = grantedKey(granted, declared)
    return read.ok ? read.manifest : inOneLine(read.problems)
  } catch (error) {
    return `it can't be worked out: ${error instanceof Error ? error.name : 'unknown'}`
  }
}

function placeOf(name: string): { readonly namespace: string; readonly name: string } {
  const slash = name.indexOf('/')
  return { namespace: name.slice(0, slash), name: name.slice(slash + 1) }
}
