/** Single objects and lists, as JSON or as rows of a table. */
import { setImmediate as pause } from 'node:timers/promises'
import { API_VERSION } from '../../resources/common.ts'
import type { Book, Entry } from './book.ts'
import { keyOf } from './book.ts'
import { type Call, wholeIn } from './call.ts'
import type { Resource, Target } from './kinds.ts'
import { badRequest, notFound } from './refusal.ts'
import { selectorOf } from './selectors.ts'
import { type Held, type Shown, show } from './shown.ts'
import { columnsOf, rowOf, TABLE, wantsTable } from './table.ts'

export type ReadParts = {
  readonly book: Book
  readonly statusOf: (held: Held) => unknown
  readonly nowMs: () => number
}

/** Requests of callers of the protected API wait for so many objects at most. */
const OBJECTS_PER_TURN = 32

export function makeReader({ book, statusOf, nowMs }: ReadParts) {
  const shown = ({ held, version }: Entry): Shown => show(held, version, statusOf(held))

  const entryAt = ({ resource, namespace, name = '' }: Target): Entry => {
    const entry = book.get(keyOf({ kind: resource.kind, namespace, name }))
    if (entry === undefined) throw notFound({ ...resource, name })
    return entry
  }

  /** Part by part, as text. */
  const itemsOf = async (entries: Iterable<Entry>, { resource, call, limit }: Listing) => {
    const table = wantsTable(call.accept)
    const selector = selectorIn(call, resource)
    const items: string[] = []
    let last: Held | undefined
    let looked = 0
    for (const entry of entries) {
      if (limit !== undefined && items.length === limit) return { items, more: last }
      looked += 1
      if (looked % OBJECTS_PER_TURN === 0) await pause()
      const object = shown(entry)
      last = entry.held
      if (selector?.selects(object) === false) continue
      items.push(JSON.stringify(table ? rowOf(resource, object, nowMs()) : object))
    }
    return { items, more: undefined }
  }

  return {
    get: (target: Target, call: Call): string => {
      const entry = entryAt(target)
      const object = shown(entry)
      if (!wantsTable(call.accept)) return JSON.stringify(object)
      const metadata = { resourceVersion: String(entry.version) }
      const rows = [rowOf(target.resource, object, nowMs())]
      return JSON.stringify({ ...TABLE, metadata, columnDefinitions: columnsOf(target.resource), rows })
    },

    list: async ({ resource, namespace }: Target, call: Call): Promise<string> => {
      const from = continuation(call.query.get('continue') ?? '')
      const all = book.list(resource.kind, namespace)
      // in parts it is a list of the moment of its first part: whatever came since is told to who watches from there
      const version = from?.version ?? book.version()
      const entries = from === undefined ? all : all.filter(({ held }) => keyOf(held) > from.key)
      const limit = wholeIn(call.query, 'limit') || undefined
      const { items, more } = await itemsOf(entries, { resource, call, limit })
      const metadata = {
        resourceVersion: String(version),
        ...(more !== undefined && { continue: tokenOf({ key: keyOf(more), version }) }),
      }
      if (wantsTable(call.accept)) {
        const head = JSON.stringify({ ...TABLE, metadata, columnDefinitions: columnsOf(resource) })
        return `${head.slice(0, -1)},"rows":[${items.join(',')}]}`
      }
      const head = JSON.stringify({ kind: `${resource.kind}List`, apiVersion: API_VERSION, metadata })
      return `${head.slice(0, -1)},"items":[${items.join(',')}]}`
    },
  }
}

type Listing = { readonly resource: Resource; readonly call: Call; readonly limit: number | undefined }

export const selectorIn = ({ query }: Call, { selectable }: Resource) =>
  selectorOf({ labels: query.get('labelSelector') ?? '', fields: query.get('fieldSelector') ?? '' }, selectable)

type Continuation = { readonly key: string; readonly version: number }

const tokenOf = (from: Continuation): string => Buffer.from(JSON.stringify(from)).toString('base64url')

function continuation(token: string): Continuation | undefined {
  if (token === '') return undefined
  try {
    const { key, version } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>
    if (typeof key === 'string' && typeof version === 'number') return { key, version }
  } catch {
    // whatever it is, it did not come from here
  }
  throw badRequest('continue: it is not what a list here ended with')
}
