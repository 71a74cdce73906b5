/** Which version each object has, and what happened lately, so that who watches misses nothing and who writes overwrites nothing. */
import type { Held } from './shown.ts'

export type Happening = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly version: number
  readonly held: Held
  readonly status: unknown
  /** As it was until then; undefined: it was not there. */
  readonly before: Held | undefined
}

export type Entry = { readonly held: Held; readonly version: number }

export type Objects = {
  /** By `Kind/namespace/name`. */
  readonly find: (key: string) => Held | undefined
  readonly all: () => Iterable<Held>
  readonly statusOf: (held: Held) => unknown
  /** Nothing is asked of it any more. */
  readonly forget: (held: Held) => void
}

export type Book = {
  /** What is there now was there before anybody asked. */
  readonly begin: () => void
  /** Of everything together; rises with every change. */
  readonly version: () => number
  readonly get: (key: string) => Entry | undefined
  /** In the order of their keys. */
  readonly list: (kind: string, namespace: string) => readonly Entry[]
  /** Those that objects bear. */
  readonly namespaces: () => ReadonlySet<string>
  readonly came: (held: Held) => void
  readonly went: (held: Held) => void
  /** Something else is to be said of it. */
  readonly touched: (key: string) => void
  /** undefined: it is too long ago, or was never here. */
  readonly since: (version: number) => readonly Happening[] | undefined
  readonly follow: (tell: (happening: Happening) => void) => { readonly stop: () => void }
}

/** So much is remembered for those who come back after a break; who comes later lists again. */
const REMEMBERED = 1024

export const keyOf = ({ kind, namespace, name }: Pick<Held, 'kind' | 'namespace' | 'name'>): string =>
  `${kind}/${namespace}/${name}`

/** @param first above every version of an earlier process: milliseconds since 1970 are, since no process changes an object more often */
export function openBook(objects: Objects, first: number): Book {
  let version = first
  const known = new Map<string, Entry>()
  const happenings: Happening[] = []
  const followers = new Set<(happening: Happening) => void>()

  const happened = (type: Happening['type'], held: Held): void => {
    version += 1
    const key = keyOf(held)
    const before = type === 'ADDED' ? undefined : (known.get(key)?.held ?? held)
    if (type === 'DELETED') known.delete(key)
    else known.set(key, { held, version })
    const happening = { type, version, held, status: objects.statusOf(held), before }
    if (type === 'DELETED') objects.forget(held)
    happenings.push(happening)
    if (happenings.length > REMEMBERED) happenings.shift()
    for (const tell of followers) tell(happening)
  }

  const entryOf = (held: Held): Entry => {
    const last = known.get(keyOf(held))
    return { held, version: last?.held.uid === held.uid ? last.version : first }
  }

  return {
    begin: () => {
      for (const held of objects.all()) if (!known.has(keyOf(held))) known.set(keyOf(held), { held, version: first })
    },
    version: () => version,
    get: (key) => {
      const held = objects.find(key)
      return held && entryOf(held)
    },
    list: (kind, namespace) => {
      const entries: Entry[] = []
      for (const held of objects.all()) {
        if (held.kind === kind && (namespace === '' || held.namespace === namespace)) entries.push(entryOf(held))
      }
      return entries.sort((a, b) => (keyOf(a.held) < keyOf(b.held) ? -1 : 1))
    },
    namespaces: () => {
      const names = new Set<string>()
      for (const { namespace } of objects.all()) if (namespace !== '') names.add(namespace)
      return names
    },
    came: (held) => happened(known.get(keyOf(held))?.held.uid === held.uid ? 'MODIFIED' : 'ADDED', held),
    went: (held) => happened('DELETED', held),
    touched: (key) => {
      const held = objects.find(key)
      if (held !== undefined) happened('MODIFIED', held)
    },
    since: (from) => {
      if (from === version) return []
      const oldest = happenings[0]?.version ?? version + 1
      if (from < Math.max(first, oldest - 1) || from > version) return undefined
      return happenings.filter((happening) => happening.version > from)
    },
    follow: (tell) => {
      followers.add(tell)
      return { stop: () => void followers.delete(tell) }
    },
  }
}
