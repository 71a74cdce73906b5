/** The text of one manifest file becomes documents that can be judged; what did not change since the last look is not parsed again. */
import { type DocumentProblem, type ManifestDocument, readDocuments } from '../resources/document.ts'
import { chunksOf } from '../resources/document-chunks.ts'
import { echo, echoName } from '../resources/echo.ts'
import { identityOf, type Manifest, parseManifest } from '../resources/manifest.ts'
import { type FieldProblem, type Path, problemAt } from '../resources/problem.ts'
import { objectKey, titleOf } from './accepted.ts'

/** What one document says. */
export type Saying =
  | { readonly kind: 'manifest'; readonly key: string; readonly title: string; readonly manifest: Manifest }
  | {
      readonly kind: 'wrong'
      /** Which object it speaks of; undefined where that is part of what is wrong. */
      readonly key: string | undefined
      readonly title: string
      readonly problems: readonly FieldProblem[]
    }
  /** Well formed, but nothing for this folder. */
  | { readonly kind: 'alien'; readonly title: string; readonly problems: readonly FieldProblem[] }

export type Seen = {
  readonly file: string
  readonly line: number
  readonly lineOf: (path: Path) => number
  /** As JSON; the same value as at the last look if the document did not change. */
  readonly value: unknown
  readonly saying: Saying
}

type Document = ManifestDocument & { readonly saying: Saying }

/** One document's text and what it says; its lines count from its own start. */
type Piece = {
  readonly text: string
  readonly documents: readonly Document[]
  readonly problems: readonly DocumentProblem[]
}

export type Sight = {
  readonly pieces: readonly Piece[]
  readonly seen: readonly Seen[]
  readonly problems: readonly DocumentProblem[]
  /** Whether something in it may hide an object that was there before. */
  readonly partial: boolean
}

export const NOTHING_SEEN: Sight = { pieces: [], seen: [], problems: [], partial: false }

const GROUP = 'keyward.dev'
const BELONGING = ['AccessNamespace', 'ApiKey', 'ProtectedApi', 'TokenIssuer']
const OURS = new Set([...BELONGING, 'ApiKeyClaim'])

/** A long file is taken in parts, so that requests are answered meanwhile. */
const PIECES_PER_TURN = 32

export type Source = { readonly file: string; readonly text: string; readonly before: Sight }

/** Reads a file's text; `pause` is awaited now and then. */
export async function look({ file, text, before }: Source, pause: () => Promise<unknown>): Promise<Sight> {
  const known = new Map(before.pieces.map((piece) => [piece.text, piece]))
  const pieces: Piece[] = []
  const seen: Seen[] = []
  const problems: DocumentProblem[] = []
  for (const { text: part, line } of chunksOf(text)) {
    const above = line - 1
    const piece = known.get(part) ?? readPiece(part)
    pieces.push(piece)
    for (const document of piece.documents) seen.push(placed(document, file, above))
    for (const problem of piece.problems) problems.push({ ...problem, line: problem.line + above })
    if (pieces.length % PIECES_PER_TURN === 0) await pause()
  }
  const partial = problems.length > 0 || seen.some(({ saying }) => saying.kind === 'wrong' && saying.key === undefined)
  return { pieces, seen, problems, partial }
}

function readPiece(text: string): Piece {
  const { documents, problems } = readDocuments(text)
  return {
    text,
    problems,
    documents: documents.map(({ value, line }, i) => ({
      value,
      line,
      lineOf: linesIn(text, i),
      saying: sayingOf(value),
    })),
  }
}

/** Lines are asked for only where something is wrong: reading a document again is cheaper than keeping where all of it stands. */
function linesIn(text: string, index: number): Document['lineOf'] {
  let known: Map<string, number> | undefined
  // for the next few of its problems, not for good: a document may be large, and a hundred of its fields wrong
  let again: WeakRef<ReturnType<typeof readDocuments>> | undefined
  const documentsAgain = () => {
    const read = again?.deref() ?? readDocuments(text)
    again = new WeakRef(read)
    return read.documents
  }
  return (path) => {
    known ??= new Map()
    const place = JSON.stringify(path)
    const line = known.get(place) ?? documentsAgain()[index]?.lineOf(path) ?? 1
    known.set(place, line)
    return line
  }
}

const placed = ({ line, value, saying, lineOf }: Document, file: string, above: number): Seen => ({
  file,
  line: line + above,
  lineOf: (path) => lineOf(path) + above,
  value,
  saying,
})

function sayingOf(value: unknown): Saying {
  const identity = identityOf(value)
  // of what is wrong nothing is shown that could be a secret
  const title = identity === undefined ? '' : echoName(titleOf(identity))
  const problem = alienness(value)
  if (problem !== undefined) return { kind: 'alien', title, problems: [problem] }
  const parsed = parseManifest(value)
  if (parsed.ok) {
    const { manifest } = parsed
    return { kind: 'manifest', key: objectKey(manifest), title: titleOf(manifest), manifest }
  }
  const { problems } = parsed
  const sure = identity !== undefined && OURS.has(identity.kind) && !problems.some(touchesIdentity)
  return { kind: 'wrong', key: sure ? objectKey(identity) : undefined, title, problems }
}

const touchesIdentity = ({ path }: FieldProblem): boolean => {
  const [first, second] = path
  if (first === 'metadata') return second === undefined || second === 'name' || second === 'namespace'
  return first === undefined || first === 'kind' || first === 'apiVersion'
}

/** Another group's object is none of ours; one with a kind of ours is taken for a slip of the pen and parsed. */
function alienness(value: unknown): FieldProblem | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { apiVersion, kind } = value as { readonly apiVersion?: unknown; readonly kind?: unknown }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined
  const ours = apiVersion.split('/', 1)[0] === GROUP
  if (ours && kind === 'ApiKeyClaim') {
    const instead = 'it is a one-time request; here --new-keys hands keys over'
    return problemAt(['kind'], `an ApiKeyClaim does not belong in a folder: ${instead}`)
  }
  if (ours || OURS.has(kind)) return undefined
  const right = `this folder takes ${BELONGING.join(', ')} of ${GROUP}/v1alpha1`
  return problemAt(['apiVersion'], `${echo(kind)} of ${echo(apiVersion)} is not Keyward's: ${right}`)
}
