/** The documents of a YAML or JSON file: their values, and the line of any field when somebody asks. */
import { constructFromEvents, type Event, parseEvents, YAMLException } from 'js-yaml'
import { chunksOf } from './document-chunks.ts'
import { documentPositions, itemPositions, lineOfPath, type Position } from './document-lines.ts'
import { echoName } from './echo.ts'
import { isObject, type Path } from './problem.ts'
import { SCHEMA } from './yaml-schema.ts'

export type ManifestDocument = {
  readonly value: unknown
  /** Of its first field, counted from 1. */
  readonly line: number
  /** Of a field, or of the nearest one above it that is there. */
  readonly lineOf: (path: Path) => number
}

export type DocumentProblem = { readonly line: number; readonly message: string }

export type Documents = {
  readonly documents: readonly ManifestDocument[]
  readonly problems: readonly DocumentProblem[]
}

const MAX_DEPTH = 32
const MAX_ALIASES = 64
/** An alias repeats all that it stands for: a few dozen of them could stand for billions of values. */
const MAX_VALUES_WITH_ALIASES = 20_000

/**
 * Reads all documents of a file; empty ones are skipped, and the items of a `kind: List` count as documents of their own.
 * A document that is no YAML is reported, and the others of its file are read nevertheless.
 */
export function readDocuments(text: string): Documents {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    return { documents: documentsOf(source, 1), problems: [] }
  } catch {
    // `---` at the start of a line always begins another document, so that each can be tried for itself
    return readApart(source)
  }
}

function readApart(source: string): Documents {
  const documents: ManifestDocument[] = []
  const problems: DocumentProblem[] = []
  for (const { text, line } of chunksOf(source)) {
    try {
      documents.push(...documentsOf(text, line))
    } catch (error) {
      problems.push(problemOf(error, text, line))
    }
  }
  return { documents, problems }
}

/** @throws YAMLException where a document can't be read */
function documentsOf(source: string, firstLine: number): readonly ManifestDocument[] {
  const events = parseEvents(source, { maxDepth: MAX_DEPTH })
  const values = constructFromEvents(events, { source, schema: SCHEMA, maxAliases: MAX_ALIASES })
  const documentAt = documentsIn(source, firstLine)
  return documentPositions(events, source).flatMap((position, i) => {
    const value = values[i]
    if (value === null || value === undefined) return []
    if (position.alias !== undefined) refuseExpansion(value, source, position.alias)
    const items = itemsOf(value)
    if (items === undefined) return [documentAt(position, value)]
    const positions = itemPositions({ events, source, position }, 'items')
    return items.map((item, j) => documentAt(positions[j] ?? position, item))
  })
}

/**
 * Documents outlive what was parsed, which is parsed once more where a line is asked for. A function of its own: functions
 * that are made in one scope keep everything alive that any of them uses.
 */
function documentsIn(source: string, firstLine: number): (position: Position, value: unknown) => ManifestDocument {
  let again: WeakRef<readonly Event[]> | undefined
  const eventsAgain = () => {
    const known = again?.deref()
    if (known !== undefined) return known
    const events = parseEvents(source, { maxDepth: MAX_DEPTH })
    again = new WeakRef(events)
    return events
  }
  return (position, value) => ({
    value,
    line: firstLine + position.line,
    lineOf: (path) => firstLine + lineOfPath({ events: eventsAgain(), source, position }, path),
  })
}

const itemsOf = (value: unknown): readonly unknown[] | undefined =>
  isObject(value) && value.kind === 'List' && Array.isArray(value.items) ? value.items : undefined

function refuseExpansion(document: unknown, source: string, alias: number): void {
  let left = MAX_VALUES_WITH_ALIASES
  const waiting = [document]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    left -= 1
    if (left < 0) YAMLException.throwAt(source, alias, 'aliases that stand for too many values')
    if (typeof value === 'object' && value !== null) waiting.push(...Object.values(value).filter(isThere))
  }
}

const isThere = (value: unknown): boolean => value !== undefined

const OPENING = 'not valid YAML'

/** What the parser's words mostly mean. */
const HINTS: Readonly<Record<string, string>> = {
  'deficient indentation': 'deficient indentation, or a quote or bracket above is still open',
  'missed comma between flow collection entries': 'a comma is missing, or a bracket above is still open',
}

/** The snippet that the parser adds could hold a secret: only its reason is passed on. */
function problemOf(error: unknown, text: string, firstLine: number): DocumentProblem {
  if (!(error instanceof YAMLException)) return { line: firstLine, message: OPENING }
  const line = firstLine + (error.mark?.line ?? 0)
  if (error.reason === 'duplicated mapping key') {
    const [key = ''] = /^[^\s:]*/.exec(text.slice(error.mark?.position ?? 0)) ?? []
    return { line, message: `${OPENING}: ${echoName(key)} is written twice in one mapping` }
  }
  return { line, message: `${OPENING}: ${HINTS[error.reason] ?? echoName(error.reason)}` }
}
