/** PURE: what of a new or edited object does not go together with the objects that are there. */
import { buildTree, type HeldIds, type AccessNamespace as Place } from '../core/namespace.ts'
import type { AccessNamespace } from '../resources/access-namespace.ts'
import { type HostClaim, hostClaims, takenHost } from '../resources/host-claims.ts'
import type { Manifest } from '../resources/manifest.ts'
import { type FieldProblem, invalid, problemAt } from '../resources/problem.ts'
import type { ProtectedApi } from '../resources/protected-api.ts'

/** What is in force in the cluster; it may be a moment old, and what slips through shows as a condition. */
export type Beside = {
  /** Whose each external id is, by `externalKey`. */
  readonly heldIds: () => HeldIds
  /** `namespace/name` of the ProtectedApi that has the host. */
  readonly hostHolder: (host: string) => string | undefined
}

type Beneath = Beside & {
  /** From the organization down to the parent of a new access namespace; empty: there is no such parent. */
  readonly above: readonly Place[]
}

/** @param before undefined: it is new */
export function misfits(before: Manifest | undefined, after: Manifest, beside: Beneath): readonly FieldProblem[] {
  if (after.kind === 'AccessNamespace') return misplaced(before, after, beside)
  return after.kind === 'ProtectedApi' ? takenHosts(before, after, beside) : []
}

/** The newcomer comes last: an external id stays with whoever has it. */
function misplaced(
  before: Manifest | undefined,
  after: AccessNamespace,
  { above, heldIds }: Beneath,
): readonly FieldProblem[] {
  const isAsBefore = before?.kind === 'AccessNamespace' && before.spec.externalId === after.spec.externalId
  if (isAsBefore) return []
  const { problems } = buildTree([...above, { name: after.name, ...after.spec }], heldIds())
  return problems.flatMap(({ name, field, problem }) =>
    name === after.name ? [problemAt(['spec', field], invalid(after.spec[field], problem))] : [],
  )
}

/** Hosts that the environment did not have before: those are what must be granted, since keys of another one open them then. */
export function newHosts(before: Manifest | undefined, after: ProtectedApi): readonly HostClaim[] {
  const had = new Set(before?.kind === 'ProtectedApi' ? homesOf(before) : [])
  const homes = homesOf(after)
  return hostClaims(after.spec).filter((_, i) => !had.has(homes[i] ?? ''))
}

/** As hostClaims has them. */
const homesOf = ({ spec }: ProtectedApi): readonly string[] =>
  spec.environments.flatMap(({ name, hosts }) => hosts.map((host) => `${name} ${host}`))

/** Where it moves to inside the object makes no difference: another one has it, or none. */
function takenHosts(
  before: Manifest | undefined,
  after: ProtectedApi,
  { hostHolder }: Beside,
): readonly FieldProblem[] {
  const had = new Set(before?.kind === 'ProtectedApi' ? hostClaims(before.spec).map(({ host }) => host) : [])
  return hostClaims(after.spec).flatMap((claim) => {
    const holder = had.has(claim.host) ? undefined : hostHolder(claim.host)
    return holder === undefined || holder === `${after.namespace}/${after.name}` ? [] : [takenHost(claim, holder)]
  })
}
