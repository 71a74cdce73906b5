/** What is to be told of problems: each once when it appears, and once when it is over. */
import type { FolderProblem } from './accepted.ts'

export type News = { readonly reported: readonly FolderProblem[]; readonly solved: readonly FolderProblem[] }

export const NO_NEWS: News = { reported: [], solved: [] }

/** Tells what differs from the problems that it was asked about before. */
export function makeNews(): (problems: readonly FolderProblem[]) => News {
  let told: ReadonlyMap<string, FolderProblem> = new Map()
  return (problems) => {
    const now = new Map(problems.map((problem) => [sameness(problem), problem]))
    const missingFrom = (others: ReadonlyMap<string, unknown>) => (problem: FolderProblem) =>
      !others.has(sameness(problem))
    const reported = [...now.values()].filter(missingFrom(told))
    const solved = [...told.values()].filter(missingFrom(now))
    told = now
    return { reported, solved }
  }
}

/** The line is left out: a problem that only moved is told of already. */
const sameness = (problem: FolderProblem): string => JSON.stringify({ ...problem, line: 0 })
