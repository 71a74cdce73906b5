/** PURE: hosts of ProtectedApis that several name: the first has each and goes on, and the others are told so. */
import type { HostConflict } from '../core/host.ts'
import type { EnvironmentSpec } from '../core/route.ts'
import { type FieldProblem, invalid, type Path, problemAt } from './problem.ts'

type Environments = { readonly environments: readonly EnvironmentSpec[] }

export type HostClaim = { readonly host: string; readonly path: Path }

/** Every host that is named, and where. */
export const hostClaims = ({ environments }: Environments): readonly HostClaim[] =>
  environments.flatMap(({ hosts }, i) =>
    hosts.map((host, j) => ({ host, path: ['spec', 'environments', i, 'hosts', j] })),
  )

/** @param holder `namespace/name` of the ProtectedApi that has it */
export const takenHost = ({ host, path }: HostClaim, holder: string): FieldProblem =>
  problemAt(path, invalid(host, `it already belongs to ProtectedApi ${holder}, which goes on serving it`))

export type Claimant = Environments & {
  /** `namespace/name`. */
  readonly name: string
}

/** By the name of who does not get what it names, each in the order in which the conflicts were found. */
export function hostProblems(
  apis: readonly Claimant[],
  conflicts: readonly HostConflict[],
): ReadonlyMap<string, readonly FieldProblem[]> {
  const problems = new Map<string, FieldProblem[]>()
  if (conflicts.length === 0) return problems
  const byName = new Map(apis.map((api) => [api.name, api]))
  for (const { api, host, holder } of conflicts) {
    const loser = byName.get(api)
    // the last one: where one API names a host twice, the first of them serves it
    const claim = loser && hostClaims(loser).findLast((each) => each.host === host)
    if (claim === undefined) continue
    const known = problems.get(api) ?? []
    known.push(takenHost(claim, holder))
    problems.set(api, known)
  }
  return problems
}
