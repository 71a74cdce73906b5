/** Objects that can't be read, or that have no effect beside the others: told of once each, and counted. */
import type { Log } from '../runtime/log.ts'

export type SetAside = {
  /** What is wrong with an object now; undefined: nothing (any more). */
  readonly note: (kind: string, name: string, problem: string | undefined) => void
  /** All that is wrong with objects of a kind at once, by name: what is not named is not wrong any more. */
  readonly noteAll: (kind: string, problems: ReadonlyMap<string, string>) => void
  readonly size: () => number
  readonly byKind: () => Iterable<readonly [string, number]>
}

/** So many of a kind are named one by one at a time: a hundred thousand of them are one trouble. */
const NAMED_AT_MOST = 20

type Known = {
  readonly problem: string
  /** Whether the log names it: then it also says that it is over. */
  readonly named: boolean
}

export function makeSetAside(log: Pick<Log, 'warn' | 'info'>): SetAside {
  const kinds = new Map<string, Map<string, Known>>()

  const of = (kind: string): Map<string, Known> => {
    const known = kinds.get(kind) ?? new Map<string, Known>()
    kinds.set(kind, known)
    return known
  }

  const tell = (kind: string, name: string, problem: string, others: number): void => {
    if (others < NAMED_AT_MOST) log.warn({ kind, name, problem }, 'set aside')
    else if (others === NAMED_AT_MOST)
      log.warn({ kind, atLeast: others + 1 }, 'more are set aside; they are only counted')
  }

  const note = (kind: string, name: string, problem: string | undefined): void => {
    const known = of(kind)
    const before = known.get(name)
    if (before?.problem === problem) return
    known.delete(name)
    if (problem === undefined) {
      if (before?.named) log.info({ kind, name }, 'not set aside any more')
      return
    }
    const others = known.size
    tell(kind, name, problem, others)
    known.set(name, { problem, named: before?.named === true || others < NAMED_AT_MOST })
  }

  return {
    note,
    noteAll: (kind, problems) => {
      for (const name of [...of(kind).keys()]) if (!problems.has(name)) note(kind, name, undefined)
      for (const [name, problem] of problems) note(kind, name, problem)
    },
    size: () => kinds.values().reduce((sum, { size }) => sum + size, 0),
    byKind: () => kinds.entries().map(([kind, { size }]) => [kind, size] as const),
  }
}

/** Problems of one object in one line. */
export const inOneLine = (problems: readonly { readonly field: string; readonly message: string }[]): string =>
  problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ')
