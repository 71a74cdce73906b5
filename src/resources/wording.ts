/** What zod finds wrong with the shape of an object, in the API server's words. */
import { z } from 'zod'
import type { SchemaMeta } from './common.ts'
import { echo } from './echo.ts'
import {
  type FieldProblem,
  fieldOf,
  forbidden,
  invalid,
  isObject,
  type Path,
  problemAt,
  required,
  unsupported,
  wrong,
} from './problem.ts'
import { closest } from './suggest.ts'

/** More than anybody mends in one go; what is left is named the next time. */
export const MAX_PROBLEMS = 100

/** What would be right where an optional field is null. */
export const BLANK = 'give it a value, or leave the field out'
/** The same of a name in a mapping. */
export const BLANK_ENTRY = 'is left blank: give it a value, or leave it out'

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
  const [above, name] = [path.slice(0, -1), path.at(-1)]
  if (name !== undefined && schemaAt(schema, above) instanceof z.ZodRecord && valueAt(value, path) === null) {
    // rules of the API server name the mapping
    return [problemAt(above, wrong(`${echo(name)} ${BLANK_ENTRY}`), [name])]
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

/** The API server's words come first, as it says them; what would help behind them, after a colon. */
function wording(issue: Issue, place: Place): string {
  const { schema, path, at } = place
  if (issue.code === 'invalid_type' && issue.expected === 'never') return forbidden(issue.message)
  if (at === undefined) return required(describedAt(schema, path) ?? 'it must be given')
  if (at === null && typeof path.at(-1) === 'string') return leftBlank(issue, place)
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, place)
    case 'invalid_value':
      return wrongValue(issue.values, place)
    case 'too_small':
      return tooSmall(issue, place)
    case 'too_big':
      return tooBig(issue, place)
    case 'invalid_key':
      return invalid(path.at(-1), `as a name here: ${issue.issues[0]?.message ?? 'it has not the right form'}`)
    default:
      return metaAt(schema, path).hidden === true ? wrong(issue.message) : invalid(at, issue.message)
  }
}

/** The API server takes it as left out, before anybody can ask what was meant. */
function leftBlank(issue: Issue, { schema, path }: Place): string {
  if (!isOptionalAt(schema, path)) return required('it is left blank')
  return issue.code === 'invalid_value' ? `${unsupported(null, issue.values)}: ${BLANK}` : invalid(null, BLANK)
}

/** What zod calls a type, and what the API server does. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'string',
  int: 'integer',
  number: 'integer',
  boolean: 'boolean',
  array: 'array',
  object: 'object',
  record: 'object',
}

function wrongType(expected: string, { path, at }: Place, hint?: string): string {
  const wanted = TYPES[expected] ?? expected
  const [right, found] = wanted === 'integer' && typeof at === 'number' ? ['int64', 'float64'] : [wanted, typeOf(at)]
  return inBody(`"${found}"`, path, `must be of type ${right}: "${found}"${hint ?? typeHint(wanted, at)}`)
}

function typeHint(wanted: string, at: unknown): string {
  if (Number.isNaN(at)) return ': YAML readers differ about this number: write it in plain decimal, or in quotes'
  const bare = typeof at === 'number' || typeof at === 'boolean'
  return wanted === 'string' && bare ? `: put ${echo(at)} in quotes` : ''
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value
}

const inBody = (value: string, path: Path, right: string): string =>
  `Invalid value: ${value}: ${fieldOf(path)} in body ${right}`

function wrongValue(values: readonly unknown[], place: Place): string {
  const [one] = values
  if (typeof one !== typeof place.at) return wrongType(typeof one, place, `: one of ${values.join(', ')}`)
  return one === true
    ? `${unsupported(place.at, values)}: leave the field out otherwise`
    : unsupported(place.at, values)
}

function tooSmall({ origin, minimum }: z.core.$ZodIssueTooSmall, { path, at }: Place): string {
  if (origin === 'array') {
    return inBody(String(Array.isArray(at) ? at.length : 0), path, `should have at least ${minimum} items`)
  }
  if (origin === 'string') return inBody(echo(at), path, `should be at least ${minimum} chars long`)
  return inBody(String(at), path, `should be greater than or equal to ${minimum}`)
}

function tooBig({ origin, maximum }: z.core.$ZodIssueTooBig, { path, at }: Place): string {
  if (origin === 'array') return `Too many: ${Array.isArray(at) ? at.length : ''}: must have at most ${maximum} items`
  if (origin === 'string') {
    return `Too long: may not be more than ${maximum} bytes: it has ${typeof at === 'string' ? at.length : ''}`
  }
  return inBody(String(at), path, `should be less than or equal to ${maximum}`)
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

/** The first sentence: what goes on is for `kubectl explain`. */
const describedAt = (schema: z.ZodType, path: Path): string | undefined =>
  schemaAt(schema, path)?.description?.split('. ', 1)[0]

const metaAt = (schema: z.ZodType, path: Path): SchemaMeta => (schemaAt(schema, path)?.meta() ?? {}) as SchemaMeta

const isOptionalAt = (schema: z.ZodType, path: Path): boolean => {
  const at = wrappedAt(schema, path)
  return at instanceof z.ZodExactOptional || (at instanceof z.ZodType && at.safeParse(undefined).success)
}

/** The schema of what stands at a path, out of its wrappings. */
function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  const found = unwrapped(wrappedAt(schema, path))
  return found instanceof z.ZodType ? found : undefined
}

function wrappedAt(schema: z.ZodType, path: Path): unknown {
  let at: unknown = schema
  for (const step of path) {
    const outer = unwrapped(at)
    if (outer instanceof z.ZodObject) at = outer.shape[step]
    else if (outer instanceof z.ZodArray) at = outer.element
    else if (outer instanceof z.ZodRecord) at = outer.valueType
    else return undefined
  }
  return at
}

function unwrapped(schema: unknown): unknown {
  let at = schema
  while (at instanceof z.ZodOptional || at instanceof z.ZodExactOptional || at instanceof z.ZodDefault) at = at.unwrap()
  return at
}
