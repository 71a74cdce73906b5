/** One object that is given over an API instead of by a file: judged with all that files say, by the very same rules. */
import { parseManifest } from '../resources/manifest.ts'
import type { FieldProblem } from '../resources/problem.ts'
import { type Accepted, isFromFile, objectKey, titleOf } from './accepted.ts'
import type { Judgement } from './judge.ts'
import type { Seen } from './sight.ts'

export type Decision = { readonly kind: 'put'; readonly manifest: unknown } | { readonly kind: 'remove' }

export type Submission = {
  /** `Kind/namespace/name`. */
  readonly key: string
  /** Asked when its turn has come, with what is in force then; may throw. */
  readonly decide: (current: Accepted | undefined) => Decision
  /** Judged, and nothing comes of it. */
  readonly dryRun: boolean
}

export type Submitted =
  /** undefined: it is gone. */
  | { readonly kind: 'done'; readonly form: Accepted | undefined; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly Pick<FieldProblem, 'field' | 'message'>[] }
  /** A file speaks of it, and only there it can be changed. */
  | { readonly kind: 'declared'; readonly file: string; readonly line: number }
  /** Of what can't be stored only what it takes away is in force. */
  | { readonly kind: 'unstored'; readonly error: unknown }

export type SubmitParts = {
  /** What files say. */
  readonly seen: readonly Seen[]
  readonly current: Accepted | undefined
  readonly judge: (more: { readonly seen?: Seen; readonly withdrawn?: string }) => Promise<Judgement>
  /** Brings a judgement into force. */
  readonly keep: (judgement: Judgement) => Promise<{ readonly error: unknown } | undefined>
}

export async function submitTo(parts: SubmitParts, { key, decide, dryRun }: Submission): Promise<Submitted> {
  const { seen, current, judge, keep } = parts
  if (current !== undefined && isFromFile(current)) {
    return { kind: 'declared', file: current.file, line: current.line }
  }
  const decision = decide(current)
  const place = seen.find(({ saying }) => saying.kind !== 'alien' && saying.key === key)
  // it is refused there, or it would be in force
  if (place !== undefined) return { kind: 'declared', file: place.file, line: place.line }
  const document = decision.kind === 'put' ? givenAs(decision.manifest) : undefined
  if (document?.kind === 'refused') return document
  const judgement = await judge(document === undefined ? { withdrawn: key } : { seen: document.seen })
  const own = judgement.complaints.filter(({ file, object }) => file === '' && object === document?.seen.saying.title)
  const problems = own.filter(({ severity }) => severity === 'error')
  if (problems.length > 0) return { kind: 'refused', problems }
  const failure = dryRun ? undefined : await keep(judgement)
  if (failure !== undefined) return { kind: 'unstored', error: failure.error }
  const warnings = own.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  return { kind: 'done', form: judgement.inForce.get(key), warnings }
}

type Given = { readonly kind: 'seen'; readonly seen: Seen } | (Submitted & { readonly kind: 'refused' })

function givenAs(value: unknown): Given {
  const read = parseManifest(value)
  if (!read.ok) return { kind: 'refused', problems: read.problems }
  const { manifest } = read
  const saying = { kind: 'manifest', key: objectKey(manifest), title: titleOf(manifest), manifest } as const
  return { kind: 'seen', seen: { file: '', line: 0, lineOf: () => 0, value, saying } }
}
