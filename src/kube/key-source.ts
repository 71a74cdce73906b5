/** Digest Secrets and ApiKeys together: which digests are in force, kept up to date with every piece of news of either. */
import { setImmediate as pause } from 'node:timers/promises'
import { refOf } from '../core/key-ref.ts'
import type { Permission } from '../core/permission.ts'
import type { KeyRecord } from '../core/record.ts'
import type { KeyIndex } from '../enforce/key-index.ts'
import { type InForce, makeKeyView } from '../enforce/key-view.ts'
import { type Declared, grantedKeys } from '../resources/granted-key.ts'
import { recordOf } from '../resources/key-record.ts'
import { secretInForce } from '../resources/secret-in-force.ts'
import { once } from '../runtime/once.ts'
import { makeByUid } from './by-uid.ts'
import { type DeclaredKey, hold, type KeptKey, secretOf, type Unreadable } from './kept-key.ts'
import { inOneLine, type SetAside } from './set-aside.ts'

export type KeySourceParts = {
  readonly keys: KeyIndex
  /** The ApiKey of `namespace/name`. */
  readonly declared: (name: string) => DeclaredKey | undefined
  readonly setAside: SetAside
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

export function makeKeySource({ keys, declared, setAside, nowMs }: KeySourceParts): KeySource {
  const byUid = makeByUid()
  const grantedKey = grantedKeys()
  const lists = once<readonly Permission[]>()

  /** Of many keys whose people lost something most lost the same. */
  const heldOnce = ({ asked, held }: KeyRecord): readonly Permission[] =>
    held === asked ? held : lists(held.join(), held)

  /** A key counts only if both are there under the same uid and name. */
  const inForce = (name: string): InForce | undefined => {
    const found = declared(name)
    const kept = found && byUid.get(found.uid)
    if (found === undefined || kept?.name !== name) return noProblem(name)
    hold(kept, name, found)
    byUid.hold(found.uid)
    const worked = workedOut(kept, { ...refOf(name), ...found })
    if (typeof worked === 'string') {
      setAside.note('ApiKey', name, worked)
      return undefined
    }
    noProblem(name)
    return worked
  }

  /** What is in force of it, or what is wrong with it: a defect of ours in one key is one key set aside, and opens nothing. */
  const workedOut = (kept: KeptKey, declared: Declared): InForce | string => {
    try {
      const read = grantedKey(kept, declared)
      if (!read.ok) return inOneLine(read.problems)
      const { spec } = read.manifest
      const { record, current, previous } = recordOf(
        read.manifest,
        secretInForce(spec, secretOf(kept), nowMs()),
        kept.cap,
      )
      return { record: { ...record, name: kept.name, held: heldOnce(record) }, current, previous }
    } catch (error) {
      return `it can't be worked out: ${error instanceof Error ? error.name : 'unknown'}`
    }
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
      const next = was && byUid.get(was.uid)
      update([is, was, next].flatMap((one) => (one === undefined ? [] : [one.name])))
    },
    declaredChanged: (name, now, before) => {
      // the status of a key is written now and then, and means nothing here
      if (now !== undefined && before !== undefined && saysTheSame(now, before)) return
      update([name])
    },
    settled: () => settled,
  }
}
