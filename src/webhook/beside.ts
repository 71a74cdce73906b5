/** PURE: what of a new or edited object does not go together with the objects that are there. */
import { buildTree, type AccessNamespace as Place } from '../core/namespace.ts'
import type { AccessNamespace } from '../resources/access-namespace.ts'
import type { Manifest } from '../resources/manifest.ts'
import { type FieldProblem, invalid, problemAt } from '../resources/problem.ts'
import type { ProtectedApi } from '../resources/protected-api.ts'

/** What the operator knows of the cluster; it may be a moment old, and what slips through shows as a condition. */
export type Beside = {
  readonly namespaces: () => Iterable<AccessNamespace>
  readonly apis: () => Iterable<ProtectedApi>
}

/** @param before undefined: it is new */
export function misfits(before: Manifest | undefined, after: Manifest, beside: Beside): readonly FieldProblem[] {
  if (after.kind === 'AccessNamespace') return misplaced(before, after, beside)
  return after.kind === 'ProtectedApi' ? takenHosts(before, after, beside) : []
}

const placeOf = ({ name, spec }: AccessNamespace): Place => ({ name, ...spec })

/** The newcomer comes last: an external id stays with whoever has it. */
function misplaced(
  before: Manifest | undefined,
  after: AccessNamespace,
  { namespaces }: Beside,
): readonly FieldProblem[] {
  const isAsBefore = before?.kind === 'AccessNamespace' && before.spec.externalId === after.spec.externalId
  if (isAsBefore) return []
  const others = Iterator.from(namespaces()).filter(({ name }) => name !== after.name)
  const { problems } = buildTree([...others.map(placeOf), placeOf(after)])
  return problems.flatMap(({ name, field, problem }) =>
    name === after.name ? [problemAt(['spec', field], invalid(after.spec[field], problem))] : [],
  )
}

type HostAt = { readonly host: string; readonly path: readonly (string | number)[] }

const hostsAt = ({ spec }: ProtectedApi): readonly HostAt[] =>
  spec.environments.flatMap(({ hosts }, i) =>
    hosts.map((host, j) => ({ host, path: ['spec', 'environments', i, 'hosts', j] })),
  )

/** Hosts that the object did not have before: those are what must be granted. */
export function newHosts(before: Manifest | undefined, after: ProtectedApi): readonly HostAt[] {
  const had = new Set(before?.kind === 'ProtectedApi' ? hostsAt(before).map(({ host }) => host) : [])
  return hostsAt(after).filter(({ host }) => !had.has(host))
}

function takenHosts(before: Manifest | undefined, after: ProtectedApi, { apis }: Beside): readonly FieldProblem[] {
  const fresh = newHosts(before, after)
  if (fresh.length === 0) return []
  const holders = new Map<string, string>()
  for (const api of apis()) {
    if (api.namespace === after.namespace && api.name === after.name) continue
    for (const { host } of hostsAt(api)) holders.set(host, `${api.namespace}/${api.name}`)
  }
  return fresh.flatMap(({ host, path }) => {
    const holder = holders.get(host)
    if (holder === undefined) return []
    return [problemAt(path, invalid(host, `it already belongs to ProtectedApi ${holder}, which goes on serving it`))]
  })
}
