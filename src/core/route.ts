/** A ProtectedApi compiled: method and path to one route and its parameters, the most specific first, whatever the order. */
import type { Environment } from './environment.ts'
import type { LimitFailure } from './limit.ts'
import type { NamespaceType, Reach } from './namespace.ts'
import type { Permission } from './permission.ts'

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'] as const
export type Method = (typeof METHODS)[number]

export type Narrow = {
  readonly query?: string | undefined
  readonly filter?: { readonly items: string; readonly id: string } | undefined
  readonly upstream?: true | undefined
}

/** One entry of `spec.routes`, as parsed. */
export type RouteSpec = {
  readonly methods?: readonly Method[] | undefined
  readonly path: string
  readonly public?: true | undefined
  readonly authenticated?: true | undefined
  readonly permission?: Permission | undefined
  readonly permissionByMethod?: Readonly<Partial<Record<Method | '*', Permission>>> | undefined
  readonly resource?: NamespaceType | undefined
  readonly id?: string | undefined
  readonly reach?: Readonly<Partial<Record<NamespaceType, Reach>>> | undefined
  readonly narrow?: Narrow | undefined
  readonly customer?: string | undefined
  readonly customersAtUpstream?: true | undefined
}

/** A route as decisions read it. */
export type Route = RouteSpec & {
  /** Its place in `spec.routes`, for explanations. */
  readonly index: number
}

export type Match = { readonly route: Route; readonly parameters: Readonly<Record<string, string>> }

export type RouteTable = {
  /** The most specific route for a method and decoded path segments. */
  readonly match: (method: Method, segments: readonly string[]) => Match | undefined
}

export type EnvironmentSpec = { readonly name: Environment; readonly hosts: readonly string[] }

/** A ProtectedApi as decisions read it. */
export type Api = {
  /** `namespace/name`. */
  readonly name: string
  readonly environments: readonly EnvironmentSpec[]
  readonly unmatched: 'deny' | 'authenticated'
  readonly preflight: 'deny' | 'allow'
  readonly acceptsTokens: boolean
  readonly limitFailure: LimitFailure
  /** Once what is in force may be older than this, no key is let through any more; undefined: they go on. */
  readonly refusedWhenStaleMs: number | undefined
  readonly routes: RouteTable
}

type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string }
  /** `**`: everything behind the slash, which may be nothing. */
  | { readonly kind: 'rest' }

const METHOD_SET: ReadonlySet<string> = new Set(METHODS)
export const isMethod = (text: string): text is Method => METHOD_SET.has(text)

export function parsePath(path: string): readonly Segment[] {
  return path
    .slice(1)
    .split('/')
    .map((text) => {
      if (text === '**') return { kind: 'rest' }
      return text.startsWith('{') ? { kind: 'parameter', name: text.slice(1, -1) } : { kind: 'literal', text }
    })
}

/** Names of the `{parameters}` of a route's path, in their order. */
export const parametersOf = (path: string): readonly string[] =>
  parsePath(path).flatMap((segment) => (segment.kind === 'parameter' ? [segment.name] : []))

/** GET covers HEAD; a route without methods answers all but OPTIONS, which is only where it is named. */
export function methodsOf({ methods }: Pick<RouteSpec, 'methods'>): ReadonlySet<Method> {
  if (methods === undefined) return new Set(METHODS.filter((method) => method !== 'OPTIONS'))
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)
}

/** The permission that a route asks for a method; HEAD asks what GET asks unless it is named itself. */
export function permissionFor({ permission, permissionByMethod }: RouteSpec, method: Method): Permission | undefined {
  if (permissionByMethod === undefined) return permission
  return (
    permissionByMethod[method] ?? (method === 'HEAD' ? permissionByMethod.GET : undefined) ?? permissionByMethod['*']
  )
}

/** Two routes that could answer the same request with neither being more specific: same shape, a method in common. */
export type Tie = { readonly first: number; readonly second: number; readonly methods: readonly Method[] }

/** Every tie, by the routes' places; a table may be compiled only where there is none. */
export function ties(routes: readonly RouteSpec[]): readonly Tie[] {
  const found: Tie[] = []
  const seen = new Map<string, { readonly index: number; readonly methods: ReadonlySet<Method> }[]>()
  routes.forEach((route, index) => {
    const shape = route.path.replace(/\{[^}]*\}/g, '{}')
    const methods = methodsOf(route)
    const earlier = seen.get(shape) ?? []
    for (const other of earlier) {
      const common = [...methods].filter((method) => other.methods.has(method))
      if (common.length > 0) found.push({ first: other.index, second: index, methods: common })
    }
    seen.set(shape, [...earlier, { index, methods }])
  })
  return found
}

type Leaf = { readonly route: Route; readonly names: readonly string[] }

/** One segment deep in the path; leaves are per method, so that a method without a route falls back to a wider path. */
type Node = {
  readonly literals: Map<string, Node>
  parameter: Node | undefined
  readonly ends: Map<Method, Leaf>
  readonly rests: Map<Method, Leaf>
}

const newNode = (): Node => ({ literals: new Map(), parameter: undefined, ends: new Map(), rests: new Map() })

/** Specificity is read from the left: a literal beats a parameter, a parameter beats `**`. */
export function compileRoutes(specs: readonly RouteSpec[]): RouteTable {
  const root = newNode()
  specs.forEach((spec, index) => {
    add(root, { ...spec, index })
  })
  return {
    match: (method, segments) => {
      const values: string[] = []
      const leaf = find(root, { method, segments, values }, 0)
      if (leaf === undefined) return undefined
      return new Matched(leaf, values)
    },
  }
}

function add(root: Node, route: Route): void {
  let node = root
  const names: string[] = []
  for (const segment of parsePath(route.path)) {
    if (segment.kind === 'rest') {
      for (const method of methodsOf(route)) node.rests.set(method, { route, names })
      return
    }
    if (segment.kind === 'parameter') {
      names.push(segment.name)
      node.parameter ??= newNode()
      node = node.parameter
    } else {
      const next = node.literals.get(segment.text) ?? newNode()
      node.literals.set(segment.text, next)
      node = next
    }
  }
  for (const method of methodsOf(route)) node.ends.set(method, { route, names })
}

type Search = { readonly method: Method; readonly segments: readonly string[]; readonly values: string[] }

function find(node: Node, search: Search, depth: number): Leaf | undefined {
  const { method, segments, values } = search
  const segment = segments[depth]
  if (segment === undefined) return node.ends.get(method)
  const literal = node.literals.get(segment)
  const exact = literal === undefined ? undefined : find(literal, search, depth + 1)
  if (exact !== undefined) return exact
  // an empty last segment is a trailing slash: another path, and no value for a parameter
  if (node.parameter !== undefined && segment !== '') {
    const kept = values.length
    values.push(segment)
    const bound = find(node.parameter, search, depth + 1)
    if (bound !== undefined) return bound
    values.length = kept
  }
  return node.rests.get(method)
}

/** Most routes with parameters are decided without reading one: they are put together when they are asked for. */
class Matched implements Match {
  readonly route: Route
  readonly #names: readonly string[]
  readonly #values: readonly string[]

  constructor({ route, names }: Leaf, values: readonly string[]) {
    this.route = route
    this.#names = names
    this.#values = values
  }

  get parameters(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#names.map((name, i) => [name, this.#values[i] ?? '']))
  }
}
