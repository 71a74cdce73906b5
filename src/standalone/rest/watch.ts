/** A watch: what is there, if it is asked for, then whatever happens, one JSON line each, until its time is over. */
import type { ServerResponse } from 'node:http'
import { setImmediate as pause } from 'node:timers/promises'
import { API_VERSION } from '../../resources/common.ts'
import type { Book, Entry, Happening } from './book.ts'
import { type Call, flagIn, wholeIn } from './call.ts'
import type { Resource, Target } from './kinds.ts'
import { selectorIn } from './read.ts'
import { expired, tooMany } from './refusal.ts'
import type { Selector } from './selectors.ts'
import { type Held, type Shown, show } from './shown.ts'
import { columnsOf, rowOf, TABLE, wantsTable } from './table.ts'

export type WatchParts = {
  readonly book: Book
  readonly statusOf: (held: Held) => unknown
  readonly nowMs: () => number
}

export type Watches = {
  readonly begin: (target: Target, call: Call, response: ServerResponse) => void
  readonly stop: () => void
}

/** Requests of callers of the protected API wait for so many objects at most. */
const OBJECTS_PER_TURN = 32
const MAX_WATCHES = 128
const DEFAULT_S = 30 * 60
const MAX_S = 60 * 60
const BOOKMARK_MS = 30_000
/** Who reads more slowly than things happen is let go, and lists again. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024
const MAX_WAITING = 4096
/** Who does not read its end. */
const END_WITHIN_MS = 10_000

type Line = { readonly type: Happening['type']; readonly object: Shown }

export function makeWatches({ book, statusOf, nowMs }: WatchParts): Watches {
  const open = new Set<() => void>()

  const begin = (target: Target, call: Call, response: ServerResponse): void => {
    if (open.size >= MAX_WATCHES) throw tooMany(`there are ${MAX_WATCHES} watches already`, 5)
    const { resource } = target
    const beginning = beginningOf(call)
    const { from } = beginning
    const selector = selectorIn(call, resource)
    const view = viewOf(target, selector)
    const write = writerTo(response, { resource, table: wantsTable(call.accept), nowMs })
    const seconds = Math.min(wholeIn(call.query, 'timeoutSeconds') || DEFAULT_S, MAX_S)

    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.flushHeaders()
    const missed = from === undefined ? [] : book.since(from)
    if (missed === undefined) {
      write.end(expired(`resource version ${from} is too old, or unknown`).body)
      return
    }
    /** What happens while the beginning is on its way; undefined: it has arrived. */
    let waiting: Happening[] | undefined = [...missed]
    const beganAt = book.version()
    const bookmark = () => {
      // before that nobody could go on from there: what waits has not been told
      if (beginning.bookmarks && waiting === undefined) write.bookmark(book.version())
    }
    const told = (happening: Happening) => {
      const line = view.next(happening)
      if (line !== undefined) write.line(line)
    }
    const following = book.follow((happening) => {
      if (waiting === undefined) told(happening)
      else if (waiting.push(happening) > MAX_WAITING) response.destroy()
    })
    const tellOf = ({ held, version }: Entry) => {
      const line = view.first(show(held, version, statusOf(held)))
      if (line !== undefined && beginning.initial) write.line(line)
    }
    const begun = async () => {
      if (beginning.initial || selector !== undefined) {
        await inPieces(book.list(resource.kind, target.namespace), tellOf, write.room)
      }
      if (beginning.endOfInitial) write.bookmark(beganAt, { 'k8s.io/initial-events-end': 'true' })
      const meanwhile = waiting ?? []
      if (from !== undefined) view.goBack(meanwhile)
      meanwhile.forEach(told)
      waiting = undefined
    }
    const end = () => {
      bookmark()
      write.end()
      const unread = setTimeout(() => response.destroy(), END_WITHIN_MS)
      response.on('close', () => clearTimeout(unread))
    }
    open.add(end)
    response.on('close', () => open.delete(end))
    keepOpen({ response, following, bookmark, end, seconds })
    begun().catch(() => response.destroy())
  }

  return {
    begin,
    stop: () => {
      for (const end of open) end()
    },
  }
}

async function inPieces<T>(all: readonly T[], visit: (one: T) => void, room: () => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += OBJECTS_PER_TURN) {
    if (i > 0) await room()
    all.slice(i, i + OBJECTS_PER_TURN).forEach(visit)
  }
}

type Open = {
  readonly response: ServerResponse
  readonly following: { readonly stop: () => void }
  readonly bookmark: () => void
  readonly end: () => void
  readonly seconds: number
}

function keepOpen({ response, following, bookmark, end, seconds }: Open): void {
  const marks = setInterval(bookmark, BOOKMARK_MS)
  const late = setTimeout(end, seconds * 1000)
  response.on('close', () => {
    following.stop()
    clearInterval(marks)
    clearTimeout(late)
  })
}

type Beginning = {
  /** undefined: from now on. */
  readonly from: number | undefined
  /** What is there is told first. */
  readonly initial: boolean
  readonly endOfInitial: boolean
  readonly bookmarks: boolean
}

function beginningOf({ query }: Call): Beginning {
  const version = wholeIn(query, 'resourceVersion') ?? 0
  const asked = flagIn(query, 'sendInitialEvents')
  const bookmarks = flagIn(query, 'allowWatchBookmarks')
  if (asked || version === 0) return { from: undefined, initial: true, endOfInitial: asked && bookmarks, bookmarks }
  return { from: version, initial: false, endOfInitial: false, bookmarks }
}

/** What one watch sees: an object that is not selected any more is gone for it. */
function viewOf({ resource, namespace }: Target, selector: Selector | undefined) {
  const visible = new Set<string>()
  const isHere = ({ kind, namespace: own }: Held): boolean =>
    kind === resource.kind && (namespace === '' || own === namespace)

  const first = (object: Shown): Line | undefined => {
    if (selector?.selects(object) === false) return undefined
    if (selector !== undefined) visible.add(object.metadata.uid)
    return { type: 'ADDED', object }
  }

  /**
   * To before all that is told next, as whoever comes back saw it then. Which status an object had is not known any more: one
   * that may have been selected counts as selected, since an end too many is nothing to a client, and one too few is.
   */
  const goBack = (missed: readonly Happening[]): void => {
    if (selector === undefined) return
    for (const { version, held, before } of missed.toReversed()) {
      if (!isHere(held)) continue
      const was = before !== undefined && selector.selectsBesideStatus(show(before, version, undefined))
      if (was) visible.add(held.uid)
      else visible.delete(held.uid)
    }
  }

  const next = ({ type, version, held, status }: Happening): Line | undefined => {
    if (!isHere(held)) return undefined
    const object = show(held, version, status)
    if (selector === undefined) return { type, object }
    const before = visible.has(held.uid)
    const now = type !== 'DELETED' && selector.selects(object)
    if (now) visible.add(held.uid)
    else visible.delete(held.uid)
    if (now) return { type: before ? 'MODIFIED' : 'ADDED', object }
    return before ? { type: 'DELETED', object } : undefined
  }
  return { first, goBack, next }
}

type Form = { readonly resource: Resource; readonly table: boolean; readonly nowMs: () => number }

function writerTo(response: ServerResponse, { resource, table, nowMs }: Form) {
  let columnsTold = false
  const put = (type: string, object: object) => {
    if (response.writableEnded || response.destroyed) return
    response.write(`${JSON.stringify({ type, object })}\n`)
    if (response.writableLength > MAX_UNREAD_BYTES) response.destroy()
  }
  const asRows = (object: Shown): object => {
    const columnDefinitions = columnsTold ? null : columnsOf(resource)
    columnsTold = true
    const { resourceVersion } = object.metadata
    return { ...TABLE, metadata: { resourceVersion }, columnDefinitions, rows: [rowOf(resource, object, nowMs())] }
  }
  return {
    /** Resolves when the reader has caught up, or is gone. */
    room: async () => {
      await pause()
      if (response.destroyed || !response.writableNeedDrain) return
      await new Promise<void>((resolve) => {
        response.once('drain', resolve).once('close', resolve)
      })
    },
    /** @param error why it ends before its time */
    end: (error?: object) => {
      if (error !== undefined) put('ERROR', error)
      response.end()
    },
    line: ({ type, object }: Line) => put(type, table ? asRows(object) : object),
    bookmark: (version: number, annotations?: object) => {
      const metadata = {
        resourceVersion: String(version),
        creationTimestamp: null,
        ...(annotations && { annotations }),
      }
      put('BOOKMARK', { kind: resource.kind, apiVersion: API_VERSION, metadata })
    },
  }
}
