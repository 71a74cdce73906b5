/** What holds between the parts of one ProtectedApi: its hosts, and its routes among each other. */
import { type RouteSpec, ties } from '../core/route.ts'
import { type FieldProblem, type Finding, invalid, isObject, type Path, problemAt } from './problem.ts'
import type { RawApiSpec } from './protected-api.ts'
import { MAX_ROUTES, type RawRoute } from './route.ts'
import { ROUTE_RULES } from './route-rules.ts'
import { distinctBy, findings, type Rule, repeated } from './rule.ts'

type ApiRule = Rule<RawApiSpec>

const hostsOnce: ApiRule = {
  name: 'no host stands in an environment twice',
  reads: [],
  check: ({ environments }) =>
    Array.isArray(environments)
      ? environments.flatMap((one, i) => repeated(isObject(one) ? one.hosts : [], ['environments', i, 'hosts']))
      : undefined,
}

const hostsInOneEnvironment: ApiRule = {
  name: 'no host stands in two environments',
  reads: ['environments'],
  check: ({ environments }) => {
    const holders = new Map<string, number>()
    return environments.flatMap(({ hosts }, i) =>
      hosts.flatMap((host, j): Finding[] => {
        const holder = holders.get(host) ?? i
        holders.set(host, holder)
        if (holder === i) return []
        const right = `it is already a host of ${environments[holder]?.name}: a host belongs to one environment`
        return [{ at: ['environments', i, 'hosts', j], message: invalid(host, right) }]
      }),
    )
  },
}

const RULES: readonly ApiRule[] = [
  distinctBy('environments', 'name'),
  hostsOnce,
  hostsInOneEnvironment,
  distinctBy('permissions', 'name'),
  distinctBy('tokens', 'issuer'),
]

/** All that the rules find in a spec that may have problems of its own. */
export function apiFindings(spec: RawApiSpec, problems: readonly FieldProblem[]): readonly FieldProblem[] {
  const own = findings(RULES, { value: spec, base: ['spec'], problems })
  if (!isObject(spec) || !Array.isArray(spec.routes) || spec.routes.length > MAX_ROUTES) return own
  const ofRoutes = spec.routes.flatMap((value, i) =>
    findings(ROUTE_RULES, { value, base: ['spec', 'routes', i], problems }),
  )
  return [...own, ...ofRoutes, ...tying(spec.routes, [...problems, ...ofRoutes])]
}

/** Two routes that could answer the same request; those whose path or methods are wrong are left out. */
function tying(routes: readonly RawRoute[], problems: readonly FieldProblem[]): readonly FieldProblem[] {
  const wrong = new Set(problems.flatMap(({ path }) => (concernsMatching(path) ? [path[2]] : [])))
  const sound = routes.flatMap((route, index) => (wrong.has(index) ? [] : [{ route, index }]))
  return ties(sound.map(({ route }) => route as RouteSpec)).map(({ first, second, methods }) => {
    const [one, other] = [sound[first]?.index ?? 0, sound[second]?.index ?? 0]
    const right = `routes[${one}] and routes[${other}] answer the same requests (${methods.join(', ')}): make one differ`
    return problemAt(['spec', 'routes', other, 'path'], invalid(sound[second]?.route.path, right))
  })
}

/** Whether a problem lies in what a route is matched by. */
const concernsMatching = (path: Path): boolean =>
  path[0] === 'spec' && path[1] === 'routes' && (path.length === 3 || path[3] === 'path' || path[3] === 'methods')
