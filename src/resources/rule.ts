/** Rules between the fields of one object: small named functions in lists, asked once the fields they read have their shape. */
import { duplicate, type FieldProblem, type Finding, isObject, type Path, problemAt } from './problem.ts'

export type Rule<T> = {
  /** What holds, as a sentence. */
  readonly name: string
  /** Fields whose content the rule relies on; while one of them has a problem of its own, the rule is not asked. */
  readonly reads: readonly (keyof T & string)[]
  readonly check: (value: T) => Finding | readonly Finding[] | undefined
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
    for (const { at, message } of isFindings(said) ? said : [said]) found.push(problemAt([...base, ...at], message))
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

/** Elements of a list that repeat an earlier one; elements of another type than string are the schema's affair. */
export function repeated(list: unknown, at: Path, nameOf: (item: unknown) => unknown = (item) => item): Finding[] {
  if (!Array.isArray(list)) return []
  const seen = new Set<string>()
  const found: Finding[] = []
  list.forEach((item, i) => {
    const name = nameOf(item)
    if (typeof name !== 'string') return
    if (seen.has(name)) found.push({ at: [...at, i], message: duplicate(name) })
    seen.add(name)
  })
  return found
}

/** No element of the list at `field` is there twice. */
export const distinct = <T>(field: keyof T & string): Rule<T> => ({
  name: `${field} names nothing twice`,
  reads: [],
  check: (value) => (value[field] === undefined ? undefined : repeated(value[field], [field])),
})

/** No two elements of the list at `field` have the same `key`. */
export const distinctBy = <T>(field: keyof T & string, key: string): Rule<T> => ({
  name: `no two of ${field} have the same ${key}`,
  reads: [],
  check: (value) =>
    value[field] === undefined
      ? undefined
      : repeated(value[field], [field], (item) => (isObject(item) ? item[key] : undefined)),
})
