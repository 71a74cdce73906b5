/** Objects in memory by key, each as new as anybody has told us: by a list, by the watch, or by our own writes. */
import { type KubeMeta, type KubeObject, keyOf } from './objects.ts'
import { ownText } from './own-text.ts'
import { isLater } from './resource-version.ts'

export type ObjectStoreParts<T> = {
  readonly read: (object: KubeObject) => T
  readonly keepManagedFields: boolean
  readonly onChange: (key: string, now: T | undefined, before: T | undefined) => void
  /** A handler threw: that must not keep anything from its turn. */
  readonly onThrown: (error: unknown) => void
}

export type Kept<T> = { readonly uid: string; readonly version: string; readonly value: T }

export type ObjectStore<T> = {
  readonly get: (key: string) => T | undefined
  readonly entries: () => Iterable<readonly [string, T]>
  readonly size: () => number
  /** The watch is complete up to this resourceVersion; undefined: nothing was ever listed. */
  readonly position: () => string | undefined
  readonly watched: (object: KubeObject, deleted: boolean) => void
  /** The watch says that there is nothing newer up to there. */
  readonly advance: (version: string) => void
  readonly note: (object: KubeObject) => void
  readonly noteGone: (key: string, uid: string) => void
  /** A list begins now; its objects are added as they come, and count all at once at its end. */
  readonly beginList: () => Listing
}

export type Listing = {
  readonly add: (object: KubeObject) => void
  /** @returns whether the server has gone back in time: then its list is the truth whatever we knew */
  readonly finish: (version: string) => boolean
}

/** Deletions that we know of and the watch has not shown yet; more than that at once is not worth remembering. */
const MOST_GONE = 10_000

export function makeObjectStore<T>(parts: ObjectStoreParts<T>): ObjectStore<T> {
  const kept = new Map<string, Kept<T>>()
  const gone = new Set<string>()
  let position: string | undefined

  const emit = (key: string, now: T | undefined, before: T | undefined): void => {
    try {
      parts.onChange(key, now, before)
    } catch (error) {
      parts.onThrown(error)
    }
  }

  /** undefined: it can't be read, which counts as not being there. */
  const reading = (object: KubeObject): Kept<T> | undefined => {
    const { uid, resourceVersion } = object.metadata
    try {
      return { uid, version: resourceVersion, value: parts.read(parts.keepManagedFields ? object : lean(object)) }
    } catch (error) {
      parts.onThrown(error)
      return undefined
    }
  }

  const take = (object: KubeObject): void => {
    const { uid, resourceVersion } = object.metadata
    const key = keyOf(object)
    if (gone.has(uid) || !outdoes(key, resourceVersion)) return
    const now = reading(object)
    if (now === undefined) drop(key)
    else put(key, now)
  }

  const put = (key: string, now: Kept<T>): void => {
    const before = kept.get(key)
    if (before !== undefined && before.uid !== now.uid) drop(key)
    kept.set(key, now)
    emit(key, now.value, before?.uid === now.uid ? before.value : undefined)
  }

  const drop = (key: string): void => {
    const before = kept.get(key)
    if (before === undefined) return
    kept.delete(key)
    emit(key, undefined, before.value)
  }

  /** As new as what is kept, or newer. */
  const outdoes = (key: string, version: string): boolean => {
    const before = kept.get(key)
    return before === undefined || isLater(version, before.version)
  }

  const advance = (version: string): void => {
    if (position === undefined || isLater(version, position)) position = version
  }

  const watched = (object: KubeObject, deleted: boolean): void => {
    const { uid, resourceVersion } = object.metadata
    const key = keyOf(object)
    advance(resourceVersion)
    if (deleted) {
      gone.delete(uid)
      if (kept.get(key)?.uid === uid || outdoes(key, resourceVersion)) drop(key)
    } else {
      take(object)
    }
  }

  const note = (object: KubeObject): void => {
    // what the watch has passed already is known here, its deletion too
    if (position === undefined || isLater(object.metadata.resourceVersion, position)) take(object)
  }

  const noteGone = (key: string, uid: string): void => {
    if (gone.size < MOST_GONE) gone.add(uid)
    if (kept.get(key)?.uid === uid) drop(key)
  }

  const beginList = (): Listing => {
    // what was deleted by now is not in the list
    gone.clear()
    const found = new Map<string, Kept<T>>()
    const add = (object: KubeObject): void => {
      const key = ownText(keyOf(object))
      const before = kept.get(key)
      const { uid, resourceVersion } = object.metadata
      const same = before?.uid === uid && before.version === resourceVersion
      const now = same ? before : reading(object)
      if (now !== undefined) found.set(key, now)
    }
    return { add, finish: (version) => finish(found, version) }
  }

  const finish = (found: ReadonlyMap<string, Kept<T>>, version: string): boolean => {
    const wentBack = position !== undefined && isLater(position, version)
    if (wentBack) gone.clear()
    position = version
    // what we have been told of since the list was taken is newer than it, unless time itself went back
    const stays = (one: Kept<T>): boolean => !wentBack && isLater(one.version, version)
    const isNews = (now: Kept<T>, before: Kept<T> | undefined): boolean =>
      before !== now && !gone.has(now.uid) && (before === undefined || !stays(before))
    for (const [key, before] of kept) if (!found.has(key) && !stays(before)) drop(key)
    for (const [key, now] of found) if (isNews(now, kept.get(key))) put(key, now)
    return wentBack
  }

  return {
    get: (key) => kept.get(key)?.value,
    entries: () => valuesOf(kept),
    size: () => kept.size,
    position: () => position,
    watched,
    advance,
    note,
    noteGone,
    beginList,
  }
}

function* valuesOf<T>(kept: ReadonlyMap<string, Kept<T>>): Iterable<readonly [string, T]> {
  for (const [key, { value }] of kept) yield [key, value]
}

/** Who wrote which field is often more than half of an object. */
function lean(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata: metadata satisfies KubeMeta }
}
