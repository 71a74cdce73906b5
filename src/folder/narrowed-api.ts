/** PURE: an edited ProtectedApi as far as the edit takes away. */
import { methodsOf, parsePath, type RouteSpec } from '../core/route.ts'
import type { Written } from '../resources/narrowed-key.ts'
import type { ProtectedApi, RawApiSpec } from '../resources/protected-api.ts'
import { sameJson } from '../resources/same-json.ts'

type Api = Written<ProtectedApi, RawApiSpec>

/** No host at all can't be written; this one is nobody's (RFC 6761). */
const NOBODYS_HOST = 'nobody.invalid'

export function narrowedApi(before: Api, after: Api): Api['raw'] {
  const [was, is] = [before.parsed.spec, after.parsed.spec]
  const tokens = was.tokens.filter(({ issuer }) => is.tokens.some((other) => other.issuer === issuer))
  return {
    metadata: before.raw.metadata,
    spec: {
      ...before.raw.spec,
      environments: commonHosts(was.environments, is.environments),
      tokens,
      unmatched: was.unmatched === is.unmatched ? was.unmatched : 'deny',
      preflight: was.preflight === is.preflight ? was.preflight : 'deny',
      // routes are one table: a route that comes may take away from a wider one, and one that goes may give to it
      routes: (onlyAdds(was, is) ? before : after).raw.spec.routes,
    },
  }
}

type Spec = ProtectedApi['spec']

function commonHosts(before: Spec['environments'], after: Spec['environments']): RawApiSpec['environments'] {
  const left = before.flatMap(({ name, hosts }) => {
    const others = after.find((environment) => environment.name === name)?.hosts ?? []
    const both = hosts.filter((host) => others.includes(host))
    return both.length === 0 ? [] : [{ name, hosts: both }]
  })
  return left.length > 0 ? left : [{ name: before[0]?.name ?? 'production', hosts: [NOBODYS_HOST] }]
}

/** Every route is still there, and those that came answer what nothing answered before. */
function onlyAdds(before: Spec, after: Spec): boolean {
  const kept = before.routes.every((route) => after.routes.some((other) => sameJson(route, other)))
  if (!kept || before.unmatched !== 'deny') return false
  const added = after.routes.filter((route) => !before.routes.some((other) => sameJson(route, other)))
  return added.every((route) => !before.routes.some((other) => mayShare(route, other)))
}

const mayShare = (a: RouteSpec, b: RouteSpec): boolean =>
  methodsOf(a)
    .values()
    .some((method) => methodsOf(b).has(method)) && pathsMayShare(a.path, b.path)

function pathsMayShare(a: string, b: string): boolean {
  const [left, right] = [parsePath(a), parsePath(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [one, other] = [left[i], right[i]]
    if (one?.kind === 'rest' || other?.kind === 'rest') return true
    if (one === undefined || other === undefined) return false
    if (one.kind === 'literal' && other.kind === 'literal' && one.text !== other.text) return false
  }
  return true
}
