/** What is wrong with an object: one field, where it stands, and in words what would be right there. */
import { echo, echoName } from './echo.ts'

export type Path = readonly (string | number)[]

export type FieldProblem = {
  /** As the API server writes it: `spec.permissions[0]`; empty for the whole object. */
  readonly field: string
  readonly path: Path
  readonly message: string
}

/** A problem as a rule finds it: the place counts from what the rule was given. */
export type Finding = {
  readonly at: Path
  readonly message: string
  /** Where below `at` a person should look; the API server names lists as a whole. */
  readonly below?: Path
}

export const problemAt = (path: Path, message: string, below: Path = []): FieldProblem => ({
  field: fieldOf(path),
  path: [...path, ...below],
  message,
})

/** `spec.routes[0].path`; a name that is no plain word stands in brackets, as in `metadata.labels[app/name]`. */
export function fieldOf(path: Path): string {
  let field = ''
  for (const step of path) {
    if (typeof step === 'number') field += `[${step}]`
    else if (/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(step) && echoName(step) === step)
      field += field === '' ? step : `.${step}`
    else field += `[${echoName(step)}]`
  }
  return field
}

// the API server's own openings, so that one problem reads the same from a cluster and from a folder
export const required = (what: string): string => `Required value: ${what}`
export const invalid = (value: unknown, right: string): string => `Invalid value: ${echo(value)}: ${right}`
/** Without the value: that is how the API server says it of what lies between fields. */
export const wrong = (right: string): string => `Invalid value: ${right}`
export const forbidden = (why: string): string => `Forbidden: ${why}`
export const unsupported = (value: unknown, supported: readonly unknown[]): string =>
  `Unsupported value: ${echo(value)}: supported values: ${supported.map((one) => `"${String(one)}"`).join(', ')}`

/** Problems in the order in which their fields are written in the object; what is missing comes after what is there. */
export function inFieldOrder(problems: readonly FieldProblem[], value: unknown): readonly FieldProblem[] {
  const placeIn = rememberedPlaces()
  const placed = problems.map((problem) => ({ problem, place: placeOf(problem.path, value, placeIn) }))
  return placed.sort((a, b) => comparePlaces(a.place, b.place)).map(({ problem }) => problem)
}

type PlaceIn = (object: Readonly<Record<string, unknown>>, name: string) => number

/** A mapping may have a hundred thousand fields, and a hundred of them may be wrong: it is counted through once. */
function rememberedPlaces(): PlaceIn {
  const known = new Map<object, ReadonlyMap<string, number>>()
  return (object, name) => {
    let places = known.get(object)
    if (places === undefined) {
      places = new Map(Object.keys(object).map((key, i) => [key, i]))
      known.set(object, places)
    }
    return places.get(name) ?? Number.POSITIVE_INFINITY
  }
}

function placeOf(path: Path, value: unknown, placeIn: PlaceIn): readonly number[] {
  let at = value
  return path.map((step) => {
    const place = typeof step === 'number' ? step : isObject(at) ? placeIn(at, step) : Number.POSITIVE_INFINITY
    at = at === undefined || at === null ? undefined : (at as Readonly<Record<string | number, unknown>>)[step]
    return place
  })
}

function comparePlaces(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [left, right] = [a[i] ?? 0, b[i] ?? 0]
    if (left !== right) return left < right ? -1 : 1
  }
  return a.length - b.length
}

/** A mapping, and neither a list nor null. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
