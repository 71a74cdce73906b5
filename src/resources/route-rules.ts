/** What holds between the fields of one route. */
import { NAMESPACE_TYPES, type NamespaceType, type Reach } from '../core/namespace.ts'
import { methodsOf, parametersOf, permissionFor } from '../core/route.ts'
import { withArticle } from './common.ts'
import { type Finding, forbidden, invalid, isObject, required } from './problem.ts'
import type { RawRoute } from './route.ts'
import { distinct, type Rule } from './rule.ts'

type RouteRule = Rule<RawRoute>

const ACCESS = ['public', 'authenticated', 'permission', 'permissionByMethod'] as const
const ONE_ACCESS = 'exactly one of public, permission, permissionByMethod and authenticated'

const oneAccess: RouteRule = {
  name: ONE_ACCESS,
  reads: [],
  check: (route) => {
    const named = ACCESS.filter((field) => route[field] !== undefined)
    if (named.length === 1) return undefined
    return {
      at: [],
      message: named.length === 0 ? required(ONE_ACCESS) : forbidden(`it names ${named.join(' and ')}: ${ONE_ACCESS}`),
    }
  },
}

/** What asks something of a key, and so has no meaning where no key is looked at. */
const KEY_FIELDS = ['resource', 'id', 'reach', 'narrow', 'customer', 'customersAtUpstream'] as const

const publicAsksNothing: RouteRule = {
  name: 'a public route asks nothing of a key',
  reads: [],
  check: (route) =>
    route.public === undefined
      ? undefined
      : KEY_FIELDS.filter((field) => route[field] !== undefined).map((field) => ({
          at: [field],
          message: forbidden('a public route has no key to look at'),
        })),
}

const noParameterTwice: RouteRule = {
  name: 'no parameter stands in a path twice',
  reads: ['path'],
  check: ({ path }) => {
    const names = parametersOf(path)
    const twice = names.find((name, i) => names.indexOf(name) < i)
    return twice === undefined ? undefined : { at: ['path'], message: invalid(path, `{${twice}} stands in it twice`) }
  },
}

const namesParameter = (field: 'id' | 'customer'): RouteRule => ({
  name: `${field} names a parameter of the path`,
  reads: ['path', field],
  check: ({ path, [field]: name }) => {
    if (name === undefined || parametersOf(path).includes(name)) return undefined
    const there = parametersOf(path).join(', ')
    const right = there === '' ? 'the path has no {parameter}' : `the path has no {${name}}; it has ${there}`
    return { at: [field], message: invalid(name, right) }
  },
})

const resourceAndReach: RouteRule = {
  name: 'resource and reach go together, and id goes with them',
  reads: [],
  check: ({ resource, reach, id }) => {
    const why = 'resource and reach go together'
    if (resource === undefined && reach !== undefined) return { at: ['resource'], message: required(why) }
    if (resource !== undefined && reach === undefined) return { at: ['reach'], message: required(why) }
    return resource === undefined && id !== undefined
      ? { at: ['resource'], message: required('id names a resource: say of which type') }
      : undefined
  },
}

const reachNamesAType: RouteRule = {
  name: 'reach opens the route to at least one type',
  reads: ['reach'],
  check: ({ reach }) =>
    reach === undefined || Object.keys(reach).length > 0
      ? undefined
      : { at: ['reach'], message: required(`at least one of ${NAMESPACE_TYPES.join(', ')}`) },
}

/** What of each type lies on the way up from a namespace of the type, itself included. */
const UPWARD: Readonly<Record<NamespaceType, readonly NamespaceType[]>> = {
  organization: ['organization'],
  application: ['application', 'organization'],
  workspace: ['workspace', 'application', 'organization'],
  userGroup: ['userGroup', 'application', 'organization'],
}

/** What can lie inside a namespace of the type. */
const DOWNWARD: Readonly<Record<NamespaceType, readonly NamespaceType[]>> = {
  organization: ['application', 'workspace', 'userGroup'],
  application: ['workspace', 'userGroup'],
  workspace: [],
  userGroup: [],
}

const reachGoesTheRightWay: RouteRule = {
  name: 'lineage is upward or the resource itself, within is downward',
  reads: ['resource', 'reach'],
  check: ({ resource, reach = {} }) => {
    if (resource === undefined) return undefined
    return NAMESPACE_TYPES.flatMap((type): Finding[] => {
      const far = reach[type]
      const wrong = far === undefined ? undefined : wrongWay({ type, far, resource })
      return wrong === undefined ? [] : [{ at: ['reach', type], message: invalid(far, wrong) }]
    })
  },
}

type Way = { readonly type: NamespaceType; readonly far: Reach; readonly resource: NamespaceType }

function wrongWay({ type, far, resource }: Way): string | undefined {
  const [up, down] = [UPWARD[type].includes(resource), DOWNWARD[type].includes(resource)]
  if (far === 'lineage' ? up : down) return undefined
  if (!up && !down) return `${withArticle(type)} has no ${resource} above it and none inside: leave it out`
  return up
    ? `the ${resource} of ${withArticle(type)} is ${type === resource ? 'itself' : 'above it'}: lineage`
    : `the ${resource}s of ${withArticle(type)} lie inside it: within`
}

const NARROWINGS = 'at least one of query, filter and upstream'

const narrowSaysHow: RouteRule = {
  name: `narrow names ${NARROWINGS}`,
  reads: [],
  check: ({ narrow }) =>
    isObject(narrow) && Object.keys(narrow).length === 0
      ? { at: ['narrow'], message: required(NARROWINGS) }
      : undefined,
}

const reading = (route: RawRoute): boolean => {
  const methods = methodsOf(route)
  return methods.has('GET') || methods.has('HEAD') || methods.has('QUERY')
}

const listsAreNarrowed: RouteRule = {
  name: 'a list route is narrowed, and no other',
  reads: ['methods'],
  check: (route) => {
    const { resource, id, narrow } = route
    if (narrow === undefined) {
      const list = resource !== undefined && id === undefined && reading(route)
      return list ? { at: ['narrow'], message: required(`a list route names ${NARROWINGS}`) } : undefined
    }
    const at = ['narrow']
    if (resource === undefined) return { at, message: forbidden('only a route with resource is narrowed') }
    if (id !== undefined) return { at, message: forbidden('a route with id is about one resource: nothing to narrow') }
    return reading(route)
      ? undefined
      : { at, message: forbidden('only a route that answers GET, HEAD or QUERY is narrowed') }
  },
}

const everyMethodHasPermission: RouteRule = {
  name: 'permissionByMethod covers every method of the route',
  reads: ['methods', 'permissionByMethod'],
  check: (route) => {
    const { permissionByMethod } = route
    if (permissionByMethod === undefined) return undefined
    const uncovered = [...methodsOf(route)].filter(
      (method) => permissionFor({ path: route.path, permissionByMethod }, method) === undefined,
    )
    if (uncovered.length === 0) return undefined
    return {
      at: ['permissionByMethod'],
      message: required(`a permission for ${uncovered.join(', ')}; "*" stands for all that are not named`),
    }
  },
}

const customersOneWay: RouteRule = {
  name: 'customers are checked here or at the upstream',
  reads: [],
  check: ({ customer, customersAtUpstream }) =>
    customer === undefined || customersAtUpstream === undefined
      ? undefined
      : { at: ['customersAtUpstream'], message: forbidden('customer is checked here: exactly one of the two') },
}

export const ROUTE_RULES: readonly RouteRule[] = [
  oneAccess,
  publicAsksNothing,
  distinct('methods'),
  noParameterTwice,
  namesParameter('id'),
  namesParameter('customer'),
  resourceAndReach,
  reachNamesAType,
  reachGoesTheRightWay,
  narrowSaysHow,
  listsAreNarrowed,
  everyMethodHasPermission,
  customersOneWay,
]
