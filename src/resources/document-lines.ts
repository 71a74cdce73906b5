/** Where in a text a document and its fields stand, read from the parser's events. */
import { EVENT_ID, type Event, getScalarValue } from 'js-yaml'
import type { Path } from './problem.ts'

export type Position = {
  /** Place of the event that begins it. */
  readonly node: number
  readonly offset: number
  /** Lines above its first field. */
  readonly line: number
}

/** Where each document begins, and where the first alias in it stands, if there is one. */
export type DocumentPosition = Position & { readonly alias: number | undefined }

/** One position per document. */
export function documentPositions(events: readonly Event[], source: string): readonly DocumentPosition[] {
  const count = lineCounter(source, { offset: 0, line: 0 })
  const positions: DocumentPosition[] = []
  events.forEach((event, i) => {
    if (event.type === EVENT_ID.DOCUMENT) positions.push({ ...count(i + 1, offsetOf(events[i + 1])), alias: undefined })
    const last = positions.at(-1)
    if (event.type === EVENT_ID.ALIAS && last?.alias === undefined && last !== undefined) {
      positions[positions.length - 1] = { ...last, alias: event.anchorStart }
    }
  })
  return positions
}

type Place = { readonly events: readonly Event[]; readonly source: string; readonly position: Position }

/** One position per item of the list that is `key` of a mapping. */
export function itemPositions({ events, source, position }: Place, key: string): readonly Position[] {
  const list = entryAt({ events, source, node: position.node, key })?.value
  if (list === undefined || events[list]?.type !== EVENT_ID.SEQUENCE) return []
  const count = lineCounter(source, position)
  const positions: Position[] = []
  for (let at = list + 1; events[at] !== undefined && events[at]?.type !== EVENT_ID.POP; at = behind(events, at)) {
    positions.push(count(at, offsetOf(events[at])))
  }
  return positions
}

/** Lines above the field at a path, or above the nearest one on the way to it that is there. */
export function lineOfPath({ events, source, position }: Place, path: Path): number {
  let { node } = position
  let named = node
  for (const step of path) {
    const found = typeof step === 'number' ? itemAt(events, node, step) : entryAt({ events, source, node, key: step })
    if (found === undefined) break
    node = found.value
    named = found.named
  }
  return lineCounter(source, position)(named, offsetOf(events[named])).line
}

/** Where an entry begins (its key, or the item itself) and where its value does. */
type Found = { readonly named: number; readonly value: number }

function itemAt(events: readonly Event[], sequence: number, index: number): Found | undefined {
  if (events[sequence]?.type !== EVENT_ID.SEQUENCE) return undefined
  let at = sequence + 1
  for (let i = 0; events[at] !== undefined && events[at]?.type !== EVENT_ID.POP; i++) {
    if (i === index) return { named: at, value: at }
    at = behind(events, at)
  }
  return undefined
}

type Entry = { readonly events: readonly Event[]; readonly source: string; readonly node: number; readonly key: string }

function entryAt({ events, source, node, key }: Entry): Found | undefined {
  if (events[node]?.type !== EVENT_ID.MAPPING) return undefined
  let at = node + 1
  while (events[at] !== undefined && events[at]?.type !== EVENT_ID.POP) {
    const name = events[at]
    const value = behind(events, at)
    if (name?.type === EVENT_ID.SCALAR && getScalarValue(source, name) === key) return { named: at, value }
    at = behind(events, value)
  }
  return undefined
}

/** The event after a node and all that it holds. */
function behind(events: readonly Event[], node: number): number {
  let depth = 0
  for (let at = node; at < events.length; at++) {
    const type = events[at]?.type
    if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING) depth++
    if (type === EVENT_ID.POP) depth--
    if (depth === 0) return at + 1
  }
  return events.length
}

function offsetOf(event: Event | undefined): number | undefined {
  if (event === undefined) return undefined
  const places = [
    'tagStart' in event ? event.tagStart : -1,
    'anchorStart' in event ? event.anchorStart : -1,
    'valueStart' in event ? event.valueStart : -1,
    'start' in event ? event.start : -1,
  ].filter((place) => place >= 0)
  return places.length === 0 ? undefined : Math.min(...places)
}

/** Counts lines from a known place on; offsets are asked for in rising order, and one that is not there is where the last was. */
function lineCounter(source: string, from: Omit<Position, 'node'>): (node: number, offset?: number) => Position {
  let { offset: at, line } = from
  return (node, offset = at) => {
    for (; at < offset; at++) {
      const code = source.charCodeAt(at)
      // a carriage return before a line feed is half of one break
      if (code === 0x0a || (code === 0x0d && source.charCodeAt(at + 1) !== 0x0a)) line++
    }
    return { node, offset: at, line }
  }
}
