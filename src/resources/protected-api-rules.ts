/** What holds between the parts of one ProtectedApi: its hosts, and its routes among each other. */
import { type RouteSpec, ties } from '../core/route.ts'
import { type ByWebhook, celQuoted } from './cel.ts'
import { echo } from './echo.ts'
import { type FieldProblem, type Finding, invalid, isObject, type Path, problemAt, wrong } from './problem.ts'
import type { RawApiSpec } from './protected-api.ts'
import { MAX_ROUTES, type RawRoute } from './route.ts'
import { ROUTE_RULES } from './route-rules.ts'
import { distinctBy, findings, noneTwice, type Rule, repeated } from './rule.ts'

type ApiRule = Rule<RawApiSpec>

const hostsOnce: ApiRule = {
  name: 'no host stands in an environment twice',
  reads: [],
  check: ({ environments }) =>
    Array.isArray(environments)
      ? environments.flatMap((one, i) => repeated(isObject(one) ? one.hosts : [], ['environments', i, 'hosts']))
      : undefined,
  cluster: noneTwice('environments[].hosts'),
}

const TWO_HOMES = 'is a host of two environments: a host belongs to one'
const ONE_HOME = 'self.exists_one(f, h in f.hosts)'

const hostsInOneEnvironment: ApiRule = {
  name: 'no host stands in two environments',
  reads: ['environments'],
  check: ({ environments }) => {
    const all = environments.flatMap(({ hosts }, i) => hosts.map((host, j) => ({ host, i, j })))
    // the first of all that another environment has too, and where it stands again
    const found = all.flatMap(({ host, i }): Finding[] => {
      const other = all.find((one) => one.host === host && one.i > i)
      if (other === undefined) return []
      return [
        { at: ['environments'], message: wrong(`${echo(host)} ${TWO_HOMES}`), below: [other.i, 'hosts', other.j] },
      ]
    })
    return found.slice(0, 1)
  },
  cluster: [
    {
      on: 'environments',
      rule: `self.all(e, e.hosts.all(h, ${ONE_HOME}))`,
      message: `a host ${TWO_HOMES}`,
      says: `${celQuoted(`self.map(e, e.hosts.exists(h, !${ONE_HOME}), e.hosts.filter(h, !${ONE_HOME})[0])[0]`)} + ' ${TWO_HOMES}'`,
    },
  ],
}

/** 256 names among one another are beyond what a rule may cost. */
const TOO_MANY_NAMES: ByWebhook = {
  webhook: 'comparing up to 256 names with one another exceeds the cost that CEL may have',
}

export const RULES: readonly ApiRule[] = [
  distinctBy('environments', 'name'),
  hostsOnce,
  hostsInOneEnvironment,
  { ...distinctBy<RawApiSpec>('permissions', 'name'), cluster: [TOO_MANY_NAMES] },
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

/** Between routes, where the API server compares nothing. */
export const TIES: ByWebhook = {
  webhook: 'comparing up to 256 routes with one another exceeds the cost that CEL may have',
}

/** Two routes that could answer the same request; those whose path or methods are wrong are left out. */
function tying(routes: readonly RawRoute[], problems: readonly FieldProblem[]): readonly FieldProblem[] {
  const wrong = new Set(problems.flatMap(({ path }) => (concernsMatching(path) ? [path[2]] : [])))
  const sound = routes.flatMap((route, index) => (wrong.has(index) ? [] : [{ route, index }]))
  return ties(sound.map(({ route }) => route as RouteSpec)).map(({ first, second, methods }) => {
    const [one, other] = [sound[first]?.index ?? 0, sound[second]?.index ?? 0]
    const right = `routes[${one}] and routes[${other}] ${TIE} (${methods.join(', ')}): make one differ`
    return problemAt(['spec', 'routes', other, 'path'], invalid(sound[second]?.route.path, right))
  })
}

const TIE = 'answer the same requests'

/** Whether all that is wrong is that routes tie. */
export const isTieAlone = (problems: readonly FieldProblem[]): boolean =>
  problems.length > 0 && problems.every(({ message }) => message.includes(TIE))

/** Whether a problem lies in what a route is matched by. */
const concernsMatching = (path: Path): boolean =>
  path[0] === 'spec' && path[1] === 'routes' && (path.length === 3 || path[3] === 'path' || path[3] === 'methods')
