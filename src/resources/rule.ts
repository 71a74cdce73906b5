/** Rules between the fields of one object: small named functions in lists, asked once the fields they read have their shape. */
import { celQuoted, type OnCluster } from './cel.ts'
import { echo } from './echo.ts'
import { type FieldProblem, type Finding, isObject, type Path, problemAt, wrong } from './problem.ts'

export type Rule<T> = {
  /** What holds, as a sentence. */
  readonly name: string
  /** Fields whose content the rule relies on; while one of them has a problem of its own, the rule is not asked. */
  readonly reads: readonly (keyof T & string)[]
  readonly check: (value: T) => Finding | readonly Finding[] | undefined
  /** How the API server keeps it. */
  readonly cluster: OnCluster
}

const NOTHING: readonly FieldProblem[] = []

/** What rules find in the value at `base`, which may have problems of its own already. */
export function findings<T>(
  rules: readonly Rule<T>[],
  { value, base, problems }: { readonly value: T; readonly base: Path; readonly problems: readonly FieldProblem[] },
): readonly FieldProblem[] {
  if (!isObject(value)) return NOTHING
  const broken = problems.length === 0 ? undefined : brokenFields(problems, base)
  let found: FieldProblem[] | undefined
  for (const rule of rules) {
    if (broken !== undefined && rule.reads.some((field) => broken.has(field))) continue
    const said = rule.check(value)
    if (said === undefined) continue
    found ??= []
    for (const { at, message, below } of isFindings(said) ? said : [said]) {
      found.push(problemAt([...base, ...at], message, below))
    }
  }
  return found ?? NOTHING
}

const isFindings = (said: Finding | readonly Finding[]): said is readonly Finding[] => Array.isArray(said)

/** The names right below `base` at which, or below which, something is wrong. */
function brokenFields(problems: readonly FieldProblem[], base: Path): ReadonlySet<string | number> {
  const broken = new Set<string | number>()
  for (const { path } of problems) {
    const below = path[base.length]
    if (below !== undefined && base.every((step, i) => path[i] === step)) broken.add(below)
  }
  return broken
}

/** The first element of a list that stands in it again; elements of another type than string are the schema's affair. */
export function repeated(list: unknown, at: Path, nameOf: (item: unknown) => unknown = (item) => item): Finding[] {
  if (!Array.isArray(list)) return []
  const places = new Map<string, number[]>()
  list.map(nameOf).forEach((name, i) => {
    if (typeof name === 'string') places.set(name, [...(places.get(name) ?? []).slice(0, 1), i])
  })
  const twice = [...places].find(([, [, again]]) => again !== undefined)
  if (twice === undefined) return []
  const [name, [, again = 0]] = twice
  return [{ at, message: wrong(`${echo(name)} stands in it twice`), below: [again] }]
}

/** The same of the list at `on`, whose items are named by `name`. */
export const noneTwice = (on: string, name = ''): OnCluster => {
  const unique = `self.exists_one(y, y${name} == x${name})`
  return [
    {
      on,
      rule: `self.all(x, ${unique})`,
      message: 'something stands in it twice',
      // one step, since the API server bounds what it took from a list by the list's own bounds, but not by a filter's
      says: `${celQuoted(`self.map(x, !${unique}, x${name})[0]`)} + ' stands in it twice'`,
    },
  ]
}

/** No element of the list at `field` is there twice. */
export const distinct = <T>(field: keyof T & string): Rule<T> => ({
  name: `${field} names nothing twice`,
  reads: [],
  check: (value) => (value[field] === undefined ? undefined : repeated(value[field], [field])),
  cluster: noneTwice(field),
})

/** No two elements of the list at `field` have the same `key`. */
export const distinctBy = <T>(field: keyof T & string, key: string): Rule<T> => ({
  name: `no two of ${field} have the same ${key}`,
  reads: [],
  check: (value) =>
    value[field] === undefined
      ? undefined
      : repeated(value[field], [field], (item) => (isObject(item) ? item[key] : undefined)),
  cluster: noneTwice(field, `.${key}`),
})
