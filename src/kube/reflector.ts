/** What lies on the API server, kept in memory: listed once, then watched, for ever, and how old it may be is known. */
import { Trouble } from '../core/trouble.ts'
import { pause } from '../runtime/pause.ts'
import { isGone, isNotFound } from './api-error.ts'
import { listPage, type Page } from './calls.ts'
import type { KubeClient, WatchEvent } from './client.ts'
import { isKindGone } from './kind-gone.ts'
import { makeObjectStore } from './object-store.ts'
import { type KubeObject, pathOf, type Resource } from './objects.ts'
import { makePages } from './pages.ts'
import { isLater } from './resource-version.ts'
import { makeWaiters } from './waiters.ts'
import { againMs, type Next, nextAfter } from './watch-state.ts'

export type ReflectorParts<T> = {
  readonly client: KubeClient
  readonly resource: Resource
  /** undefined: all of them. */
  readonly namespace?: string | undefined
  readonly selector?: { readonly label?: string | undefined; readonly field?: string | undefined } | undefined
  /** What is kept of an object; it comes without managedFields unless they are asked for. Never throws. */
  readonly read: (object: KubeObject) => T
  readonly keepManagedFields?: boolean | undefined
  /** Once the server itself says that it knows no such kind any more, its objects are gone too. */
  readonly goneWithKind?: boolean | undefined
  /** An object that was deleted and made again goes first and comes then: two calls. */
  readonly onChange: (key: string, now: T | undefined, before: T | undefined) => void
  /** Told once of each kind of trouble, until all is well again. */
  readonly onTrouble: (error: unknown) => void
  readonly steadyMs: () => number
  /** From 0 (inclusive) to 1. */
  readonly jitter: () => number
  /** How many objects are asked for at once. */
  readonly pageSize?: number | undefined
}

export type Reflector<T> = {
  /** Until it is stopped; never rejects. */
  readonly run: (stop: AbortSignal) => Promise<void>
  /** Whether all of it has been read once; true for ever then. */
  readonly synced: () => boolean
  readonly whenSynced: () => Promise<void>
  readonly get: (key: string) => T | undefined
  readonly entries: () => Iterable<readonly [string, T]>
  readonly size: () => number
  /** Milliseconds since it was last known to be current; Infinity before it was. */
  readonly staleMs: () => number
  /** What we wrote or read live ourselves is taken in at once, unless something newer is here. */
  readonly note: (object: KubeObject) => void
  readonly noteGone: (key: string, uid: string) => void
  /** Resolves when all of it has been listed once more, by a list that began after this was called. */
  readonly relist: () => Promise<void>
}

/** Without any sign of the server for longer than a watch can last, all of it is listed anew. */
const TOO_OLD_MS = 15_000
/** A watch that ends sooner has not been one. */
const SHORTEST_WATCH_MS = 1000
/** Up to 3 s more, so that not all end together. With what the server may be silent after that: 10 s at most. */
const SHORTEST_ASKED_S = 5
const PAGE = 500

export function reflect<T>(parts: ReflectorParts<T>): Reflector<T> {
  const { client, resource, namespace, steadyMs, jitter, pageSize = PAGE } = parts
  const labelSelector = parts.selector?.label
  const fieldSelector = parts.selector?.field
  const choice = { namespace, labelSelector, fieldSelector }
  const told = new Set<string>()
  let next: Next = 'list'
  let failures = 0
  /** What is here was all there was at this moment. */
  let currentAt = Number.NEGATIVE_INFINITY
  /** The last time that the server told us something; a list that takes long is no silence. */
  let heardAt = Number.NEGATIVE_INFINITY
  const first = makeWaiters()
  const relisted = makeWaiters()
  let turn = new AbortController()
  let listing = false
  let stopped = false

  const tell = (error: unknown): void => {
    const kind = error instanceof Trouble ? error.code : String(error)
    if (told.has(kind) || told.size > 100) return
    told.add(kind)
    parts.onTrouble(error)
  }

  const store = makeObjectStore<T>({
    read: parts.read,
    keepManagedFields: parts.keepManagedFields === true,
    onChange: parts.onChange,
    onThrown: tell,
  })

  const page = (token: string, size: number): Promise<Page> =>
    listPage(client, resource, { ...choice, limit: size, token, once: true, signal: turn.signal })

  const pages = makePages({
    ask: async (token, size) => {
      const answer = await page(token, size)
      heardAt = steadyMs()
      return answer
    },
    pageSize,
    onTrouble: tell,
    jitter,
  })

  /** What is to be thrown in place of an error of a list. Only a server that says so by itself makes anything vanish. */
  const afterNoList = async (error: unknown): Promise<unknown> => {
    if (parts.goneWithKind !== true || !isNotFound(error)) return error
    const isGoneToo = await isKindGone(client, resource, turn.signal).catch(() => false)
    if (!isGoneToo) return error
    if (synced()) store.beginList().finish(store.position() ?? '')
    return new Trouble('kube_no_such_kind', 'retry')
  }

  const list = async (): Promise<void> => {
    const begun = steadyMs()
    const asking = relisted.take()
    const found = store.beginList()
    listing = true
    try {
      await pages(({ items, resourceVersion, token }) => {
        for (const item of items) found.add(item)
        if (token === '' && found.finish(resourceVersion)) tell(new Trouble('kube_went_back', 'retry'))
      }, turn.signal)
    } catch (error) {
      relisted.giveBack(asking)
      throw await afterNoList(error)
    } finally {
      listing = false
    }
    currentAt = begun
    next = 'watch'
    first.resolve()
    asking.resolve()
  }

  /** Whether the server's past is still the one that we know. */
  const probe = async (): Promise<void> => {
    try {
      const { resourceVersion } = await page('', 1)
      next = isLater(store.position() ?? '', resourceVersion) ? 'list' : 'watch'
    } catch (error) {
      next = nextAfter({ error, opened: false, failures: failures + 1 })
      throw error
    }
  }

  const onEvent = (event: WatchEvent): void => {
    const known = store.position() ?? ''
    const version = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
    if (!isLater(version, known) && event.type !== 'BOOKMARK') throw new Trouble('kube_went_back', 'retry')
    // a bookmark may lag behind a list, so it only gives rise to a doubt
    if (isLater(known, version)) next = 'probe'
    else if (event.type === 'BOOKMARK') store.advance(version)
    else {
      store.watched(event.object, event.type === 'DELETED')
      failures = 0
    }
    heardNow()
  }

  const heardNow = (): void => {
    heardAt = steadyMs()
    currentAt = heardAt
  }

  const watchOn = (onOpen: () => void): Promise<void> =>
    client.watch({
      path: pathOf(resource, { namespace }),
      query: {
        resourceVersion: store.position() ?? '',
        allowWatchBookmarks: 'true',
        ...(labelSelector !== undefined && { labelSelector }),
        ...(fieldSelector !== undefined && { fieldSelector }),
      },
      timeoutSeconds: SHORTEST_ASKED_S + Math.floor(jitter() * 4),
      signal: turn.signal,
      onOpen,
      onEvent,
    })

  const watch = async (): Promise<void> => {
    const begun = steadyMs()
    let opened = false
    try {
      await watchOn(() => {
        opened = true
      })
      if (steadyMs() - begun < SHORTEST_WATCH_MS) throw new Trouble('kube_watch_too_short', 'retry')
      heardNow()
      allWell()
    } catch (error) {
      if (opened && steadyMs() - begun >= SHORTEST_WATCH_MS) allWell()
      if (!turn.signal.aborted) next = nextAfter({ error, opened, failures: failures + 1 })
      throw error
    }
  }

  const allWell = (): void => {
    failures = 0
    told.clear()
  }

  const step = async (): Promise<void> => {
    if (relisted.waiting() || steadyMs() - heardAt > TOO_OLD_MS) next = 'list'
    if (next === 'list') await list()
    else if (next === 'probe') await probe()
    else await watch()
  }

  const run = async (stop: AbortSignal): Promise<void> => {
    const onStop = (): void => {
      stopped = true
      turn.abort()
    }
    if (stop.aborted) onStop()
    else stop.addEventListener('abort', onStop, { once: true })
    while (!stopped) {
      turn = new AbortController()
      try {
        await step()
      } catch (error) {
        if (turn.signal.aborted) continue
        failures += 1
        // that the past is gone is no trouble: it is listed anew
        if (!isGone(error)) tell(error)
        await pause(againMs({ error, failures, jitter: jitter() }), turn.signal)
      }
    }
    stop.removeEventListener('abort', onStop)
    first.reject()
    relisted.reject()
  }

  const staleMs = (): number => steadyMs() - currentAt

  const relist = (): Promise<void> => {
    if (stopped) return Promise.reject(new Trouble('kube_aborted', 'retry'))
    const done = relisted.wait()
    // a list that has begun goes on to its end: it is followed by another one
    if (!listing) turn.abort()
    return done
  }

  const synced = (): boolean => currentAt !== Number.NEGATIVE_INFINITY

  return {
    run,
    synced,
    whenSynced: async () => {
      if (synced()) return
      if (stopped) throw new Trouble('kube_aborted', 'retry')
      await first.wait()
    },
    get: store.get,
    entries: store.entries,
    size: store.size,
    staleMs,
    note: store.note,
    noteGone: store.noteGone,
    relist,
  }
}
