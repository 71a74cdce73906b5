/** What is said of an object beside its spec: what became of a key, and whether what its file says by now is in force. */
import { type Condition, conditionsOf, type Finding } from '../../core/condition.ts'
import { isObject } from '../../resources/problem.ts'
import type { Held } from './shown.ts'

export type Problem = {
  readonly file: string
  readonly line: number
  readonly field: string
  readonly message: string
  readonly severity: 'error' | 'warning'
}

export type StandingParts = {
  /** What was reported of an ApiKey or a claim; undefined: nothing yet. */
  readonly reported: (held: Held) => unknown
  /** What is wrong with an object now. */
  readonly problemsOf: (held: Held) => readonly Problem[]
  readonly nowMs: () => number
}

export type Standing = {
  readonly statusOf: (held: Held) => unknown
  /** It is gone. */
  readonly forget: (held: Held) => void
}

export function makeStanding({ reported, problemsOf, nowMs }: StandingParts): Standing {
  /** By uid: what is made again under the same name begins anew. */
  const told = new Map<string, readonly Condition[]>()

  const accepted = (held: Held, problems: readonly Problem[]): readonly Condition[] => {
    const before = told.get(held.uid)
    const [finding, isUsual] = [findingOf(problems), problems.length === 0 && before === undefined]
    const conditions = conditionsOf([finding], before ?? [], {
      generation: held.generation,
      nowMs: isUsual ? held.firstSeenMs : nowMs(),
    })
    if (!isUsual) told.set(held.uid, conditions)
    return conditions
  }

  const statusOf = (held: Held): unknown => {
    const problems = problemsOf(held)
    if (held.kind === 'ApiKeyClaim') return reported(held)
    if (held.kind !== 'ApiKey') return { observedGeneration: held.generation, conditions: accepted(held, problems) }
    const status = reported(held)
    if (problems.length === 0 || !isObject(status)) return status
    const conditions = Array.isArray(status.conditions) ? status.conditions : []
    return { ...status, conditions: [...conditions, ...accepted(held, problems)] }
  }
  return { statusOf, forget: ({ uid }) => void told.delete(uid) }
}

function findingOf(problems: readonly Problem[]): Finding {
  const refused = problems.filter(({ severity }) => severity === 'error')
  if (refused.length > 0) {
    const message = `what its file says by now is refused, and what was accepted before goes on: ${worded(refused)}`
    return { type: 'Accepted', status: 'False', reason: 'EditRefused', message }
  }
  return problems.length > 0
    ? { type: 'Accepted', status: 'True', reason: 'AcceptedWithWarnings', message: worded(problems) }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'it is in force' }
}

const worded = (problems: readonly Problem[]): string =>
  problems
    .map(({ file, line, field, message }) => {
      const place = file === '' ? '' : `${file}:${line}: `
      return `${place}${field === '' ? '' : `${field}: `}${message}`
    })
    .join('; ')
