/** One kind of object: its schema, the rules between its fields, and what it is read as. */
import type { z } from 'zod'
import { type FieldProblem, inFieldOrder, isObject } from './problem.ts'
import { MAX_PROBLEMS, shapeProblems } from './wording.ts'

export type KindDefinition<Schema extends z.ZodType, Read> = {
  readonly schema: Schema
  /** Rules between fields. `value` may be anything as long as `problems` says so. */
  readonly rules: (value: z.input<Schema>, problems: readonly FieldProblem[]) => readonly FieldProblem[]
  /** Called only with an object that has no problem. */
  readonly read: (value: z.output<Schema>) => Read
}

export type Reading<Read> =
  | { readonly ok: true; readonly manifest: Read }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] }

/** Reads an object of one kind, or names all that is wrong with it, in the order of its fields. */
export function readAs<Schema extends z.ZodType, Read>(
  { schema, rules, read }: KindDefinition<Schema, Read>,
  value: unknown,
): Reading<Read> {
  const parsed = schema.safeParse(value)
  const shape = parsed.success ? [] : shapeProblems(parsed.error.issues, schema, value)
  // rules see the object as written: those that rely on a field with a problem of its own are not asked
  const found = isObject(value) ? rules((parsed.success ? value : withoutBlanks(value)) as z.input<Schema>, shape) : []
  if (parsed.success && found.length === 0) return { ok: true, manifest: read(parsed.data) }
  const named = new Set(shape.map(({ field }) => field))
  const more = found.filter(({ field }) => !named.has(field))
  return { ok: false, problems: inFieldOrder([...shape, ...more].slice(0, MAX_PROBLEMS), value) }
}

/** To rules a field that is left blank is not there, as on the API server; that it is blank is a problem already. */
function withoutBlanks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutBlanks)
  if (!isObject(value)) return value
  const named = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(named.map(([name, inner]) => [name, withoutBlanks(inner)]))
}
