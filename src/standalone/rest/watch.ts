/** A watch: what is there, if it is asked for, then whatever happens, one JSON line each, until its time is over. */
import type { ServerResponse } from 'node:http'
import { setImmediate as pause } from 'node:timers/promises'
import { API_VERSION } from '../../resources/common.ts'
import type { Book, Entry, Happening } from './book.ts'
import { type Call, flagIn, wholeIn } from './call.ts'
import type { Resource, Target } from './kinds.ts'
import { selectorIn } from './read.ts'
import { expired, tooMany } from './refusal.ts'
import type { Selects } from './selectors.ts'
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

type Line = { readonly type: Happening['type']; readonly object: Shown }

export function makeWatches({ book, statusOf, nowMs }: WatchParts): Watches {
  const open = new Set<() => void>()

  const begin = (target: Target, call: Call, response: ServerResponse): void => {
    if (open.size >= MAX_WATCHES) throw tooMany(`there are ${MAX_WATCHES} watches already`, 5)
    const { resource } = target
    const beginning = beginningOf(call)
    const { from } = beginning
    const view = viewOf(target, selectorIn(call, resource))
    const write = writerTo(response, { resource, table: wantsTable(call.accept), nowMs })
    const seconds = Math.min(wholeIn(call.query, 'timeoutSeconds') || DEFAULT_S, MAX_S)

    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.flushHeaders()
    const missed = from === undefined ? [] : book.since(from)
    if (missed === undefined) {
      write.end(expired(`resource version ${from} is too old, or unknown`).body)
      return
    }
    const bookmark = (annotations?: object) => {
      if (beginning.bookmarks) write.bookmark(book.version(), annotations)
    }
    const told = (happening: Happening) => {
      const line = view.next(happening)
      if (line !== undefined) write.line(line)
    }
    // what happens while the beginning is on its way
    let waiting: Happening[] | undefined = [...missed]
    const following = book.follow((happening) => (waiting === undefined ? told(happening) : waiting.push(happening)))
    const tellOf = ({ held, version }: Entry) => {
      const line = view.first(show(held, version, statusOf(held)))
      if (line !== undefined && beginning.initial) write.line(line)
    }
    const begun = async () => {
      await eachOf(book.list(resource.kind, target.namespace), tellOf, write.room)
      if (beginning.endOfInitial) bookmark({ 'k8s.io/initial-events-end': 'true' })
      for (const happening of waiting ?? []) told(happening)
      waiting = undefined
    }
    const end = () => {
      bookmark()
      write.end()
    }
    open.add(end)
    response.on('close', () => open.delete(end))
    keepOpen({ response, following, bookmark: () => bookmark(), end, seconds })
    begun().catch(() => response.destroy())
  }

  return {
    begin,
    stop: () => {
      for (const end of open) end()
    },
  }
}

async function eachOf<T>(all: readonly T[], visit: (one: T) => void, room: () => Promise<void>): Promise<void> {
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
  if (asked || version === 0) return { from: undefined, initial: true, endOfInitial: asked, bookmarks }
  return { from: version, initial: false, endOfInitial: false, bookmarks }
}

/** What one watch sees: an object that is not selected any more is gone for it. */
function viewOf({ resource, namespace }: Target, selects: Selects | undefined) {
  const visible = new Set<string>()

  const first = (object: Shown): Line | undefined => {
    if (selects?.(object) === false) return undefined
    if (selects !== undefined) visible.add(object.metadata.uid)
    return { type: 'ADDED', object }
  }

  const next = ({ type, version, held, status }: Happening): Line | undefined => {
    const { kind, uid } = held
    if (kind !== resource.kind || (namespace !== '' && held.namespace !== namespace)) return undefined
    const object = show(held, version, status)
    if (selects === undefined) return { type, object }
    const before = visible.has(uid)
    const now = type !== 'DELETED' && selects(object)
    if (now) visible.add(uid)
    else visible.delete(uid)
    if (now) return { type: before ? 'MODIFIED' : 'ADDED', object }
    return before ? { type: 'DELETED', object } : undefined
  }
  return { first, next }
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
