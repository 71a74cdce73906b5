/** What zod finds wrong with the shape of an object, in the API server's words. */
import { z } from 'zod'
import {
  type FieldProblem,
  forbidden,
  invalid,
  isObject,
  type Path,
  problemAt,
  required,
  unsupported,
} from './problem.ts'
import { closest } from './suggest.ts'

/** More than anybody mends in one go; what is left is named the next time. */
export const MAX_PROBLEMS = 100

type Issue = z.core.$ZodIssue

/** At most one problem per field: the first that zod names is the one to mend first. */
export function shapeProblems(issues: readonly Issue[], schema: z.ZodType, value: unknown): readonly FieldProblem[] {
  const problems = new Map<string, FieldProblem>()
  for (const issue of issues) {
    if (problems.size >= MAX_PROBLEMS) break
    for (const problem of problemsOf(issue, schema, value)) {
      const place = JSON.stringify(problem.path)
      if (!problems.has(place)) problems.set(place, problem)
    }
  }
  return [...problems.values()]
}

function problemsOf(issue: Issue, schema: z.ZodType, value: unknown): readonly FieldProblem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code === 'unrecognized_keys') {
    const known = namesAt(schema, path)
    const inSpec = path.length === 0 ? namesAt(schema, ['spec']) : []
    return issue.keys.slice(0, MAX_PROBLEMS).map((key) => problemAt([...path, key], unknownField(key, known, inSpec)))
  }
  return [problemAt(path, wording(issue, { schema, path, at: valueAt(value, path) }))]
}

function unknownField(key: string, known: readonly string[], inSpec: readonly string[]): string {
  const opening = 'Unknown field'
  if (key === '<<') return `${opening}: merge keys are not read: write the fields out`
  const near = closest(key, known)
  if (near !== undefined) return `${opening}: did you mean "${near}"?`
  const below = closest(key, inSpec)
  if (below !== undefined) return `${opening}: did you mean "spec.${below}"?`
  return known.length > 0 && known.length <= 16 ? `${opening}: known here: ${known.join(', ')}` : opening
}

type Place = { readonly schema: z.ZodType; readonly path: Path; readonly at: unknown }

function wording(issue: Issue, { schema, path, at }: Place): string {
  if (issue.code === 'invalid_type' && issue.expected === 'never') return forbidden(issue.message)
  if (at === undefined) return required(describedAt(schema, path) ?? 'it must be given')
  if (at === null) return invalid(null, 'give it a value, or leave the field out')
  switch (issue.code) {
    case 'invalid_type':
      return invalid(at, `must be ${typeNamed(issue.expected, at)}`)
    case 'invalid_value':
      return wrongValue(issue.values, at)
    case 'too_small':
      return tooSmall(issue, at)
    case 'too_big':
      return tooBig(issue, at)
    case 'invalid_key':
      return invalid(path.at(-1), `as a name here: ${issue.issues[0]?.message ?? 'it has not the right form'}`)
    default:
      return invalid(at, issue.message)
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  int: 'a whole number',
  number: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

function typeNamed(expected: string, at: unknown): string {
  const name = TYPE_NAMES[expected] ?? expected
  if (Number.isNaN(at)) return `${name}; YAML readers differ about this number: write it in plain decimal, or in quotes`
  if (expected === 'string' && (typeof at === 'number' || typeof at === 'boolean')) return `${name}: put it in quotes`
  return name
}

function wrongValue(values: readonly unknown[], at: unknown): string {
  if (values.length === 1 && values[0] === true)
    return invalid(at, 'it can only be true; leave the field out otherwise')
  return unsupported(at, values)
}

function tooSmall(issue: z.core.$ZodIssueTooSmall, at: unknown): string {
  if (issue.origin === 'array') return required(`at least ${issue.minimum} item${issue.minimum === 1 ? '' : 's'}`)
  if (issue.origin === 'string') return required('it must not be empty')
  return invalid(at, `must be at least ${issue.minimum}`)
}

function tooBig(issue: z.core.$ZodIssueTooBig, at: unknown): string {
  if (issue.origin === 'array') return `Too many: ${Array.isArray(at) ? at.length : ''}: at most ${issue.maximum} items`
  if (issue.origin === 'string') {
    return `Too long: ${typeof at === 'string' ? at.length : ''} characters: at most ${issue.maximum}`
  }
  return invalid(at, `must be at most ${issue.maximum}`)
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const step of path) {
    if (Array.isArray(at)) at = typeof step === 'number' ? at[step] : undefined
    else at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined
  }
  return at
}

const namesAt = (schema: z.ZodType, path: Path): readonly string[] => {
  const at = schemaAt(schema, path)
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

const describedAt = (schema: z.ZodType, path: Path): string | undefined => schemaAt(schema, path)?.description

/** The schema of what stands at a path, out of its wrappings. */
function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let at: unknown = schema
  for (const step of path) {
    const outer = unwrapped(at)
    if (outer instanceof z.ZodObject) at = outer.shape[step]
    else if (outer instanceof z.ZodArray) at = outer.element
    else if (outer instanceof z.ZodRecord) at = outer.valueType
    else return undefined
  }
  const found = unwrapped(at)
  return found instanceof z.ZodType ? found : undefined
}

function unwrapped(schema: unknown): unknown {
  let at = schema
  while (at instanceof z.ZodOptional || at instanceof z.ZodExactOptional || at instanceof z.ZodDefault) at = at.unwrap()
  return at
}
