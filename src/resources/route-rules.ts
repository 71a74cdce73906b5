/** What holds between the fields of one route. */
import { METHODS, methodsOf, parametersOf, permissionFor } from '../core/route.ts'
import { celAnyOf, celList, celQuoted } from './cel.ts'
import { echo } from './echo.ts'
import { forbidden, invalid, isObject, required, wrong } from './problem.ts'
import { REACH_RULES } from './reach-rules.ts'
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
      message: named.length === 0 ? required(ONE_ACCESS) : forbidden(`${ONE_ACCESS}: it names ${named.join(' and ')}`),
    }
  },
  cluster: [
    { rule: celAnyOf(ACCESS), message: ONE_ACCESS, reason: 'FieldValueRequired' },
    {
      rule: `[${ACCESS.map((field) => `has(self.${field})`).join(', ')}].filter(named, named).size() <= 1`,
      message: ONE_ACCESS,
      reason: 'FieldValueForbidden',
    },
  ],
}

/** What asks something of a key, and so has no meaning where no key is looked at. */
const KEY_FIELDS = ['resource', 'id', 'reach', 'narrow', 'customer', 'customersAtUpstream'] as const

const NO_KEY = 'a public route has no key to look at'

const publicAsksNothing: RouteRule = {
  name: 'a public route asks nothing of a key',
  reads: [],
  check: (route) =>
    route.public === undefined
      ? undefined
      : KEY_FIELDS.filter((field) => route[field] !== undefined).map((field) => ({
          at: [field],
          message: forbidden(NO_KEY),
        })),
  cluster: KEY_FIELDS.map((field) => ({
    rule: `!has(self.public) || !has(self.${field})`,
    message: NO_KEY,
    field: `.${field}`,
    reason: 'FieldValueForbidden' as const,
  })),
}

/** More segments than that are not looked through by the API server: what CEL may cost is bounded. */
const SEGMENTS_SEEN = 40
const TWICE = 'a parameter stands in it twice'

const noParameterTwice: RouteRule = {
  name: 'no parameter stands in a path twice',
  reads: ['path'],
  check: ({ path }) => {
    const names = parametersOf(path)
    const twice = names.find((name, i) => names.indexOf(name) < i)
    return twice === undefined ? undefined : { at: ['path'], message: invalid(path, `${TWICE}: {${twice}}`) }
  },
  cluster: [
    {
      on: 'path',
      rule: `self.split('/', ${SEGMENTS_SEEN}).all(s, !s.startsWith('{') || self.indexOf(s) == self.lastIndexOf(s))`,
      message: TWICE,
    },
  ],
}

const namesParameter = (field: 'id' | 'customer'): RouteRule => ({
  name: `${field} names a parameter of the path`,
  reads: ['path', field],
  check: ({ path, [field]: name }) => {
    if (name === undefined || parametersOf(path).includes(name)) return undefined
    return { at: [field], message: wrong(`the path has no {${name}}`) }
  },
  cluster: [
    {
      rule: `!has(self.${field}) || self.path.contains('{' + self.${field} + '}')`,
      message: 'the path has no such parameter',
      says: `'the path has no {' + self.${field} + '}'`,
      field: `.${field}`,
    },
  ],
})

const NARROWINGS = 'at least one of query, filter and upstream'

const narrowSaysHow: RouteRule = {
  name: `narrow names ${NARROWINGS}`,
  reads: [],
  check: ({ narrow }) =>
    isObject(narrow) && Object.keys(narrow).length === 0
      ? { at: ['narrow'], message: required(NARROWINGS) }
      : undefined,
  cluster: [
    {
      on: 'narrow',
      rule: celAnyOf(['query', 'filter', 'upstream']),
      message: NARROWINGS,
      reason: 'FieldValueRequired',
    },
  ],
}

const reading = (route: RawRoute): boolean => {
  const methods = methodsOf(route)
  return methods.has('GET') || methods.has('HEAD') || methods.has('QUERY')
}

const CEL_READING = "(!has(self.methods) || self.methods.exists(m, m in ['GET', 'HEAD', 'QUERY']))"

const LIST_NAMES = `a list route names ${NARROWINGS}`
const NO_RESOURCE = 'only a route with resource is narrowed'
const ONE_RESOURCE = 'a route with id is about one resource: nothing to narrow'
const NO_READING = 'only a route that answers GET, HEAD or QUERY is narrowed'

const listsAreNarrowed: RouteRule = {
  name: 'a list route is narrowed, and no other',
  reads: ['methods'],
  check: (route) => {
    const { resource, id, narrow } = route
    if (narrow === undefined) {
      const list = resource !== undefined && id === undefined && reading(route)
      return list ? { at: ['narrow'], message: required(LIST_NAMES) } : undefined
    }
    const at = ['narrow']
    if (resource === undefined) return { at, message: forbidden(NO_RESOURCE) }
    if (id !== undefined) return { at, message: forbidden(ONE_RESOURCE) }
    return reading(route) ? undefined : { at, message: forbidden(NO_READING) }
  },
  cluster: [
    {
      rule: `has(self.narrow) || !has(self.resource) || has(self.id) || !${CEL_READING}`,
      message: LIST_NAMES,
      field: '.narrow',
      reason: 'FieldValueRequired',
    },
    {
      rule: '!has(self.narrow) || has(self.resource)',
      message: NO_RESOURCE,
      field: '.narrow',
      reason: 'FieldValueForbidden',
    },
    {
      rule: '!has(self.narrow) || !has(self.resource) || !has(self.id)',
      message: ONE_RESOURCE,
      field: '.narrow',
      reason: 'FieldValueForbidden',
    },
    {
      rule: `!has(self.narrow) || !has(self.resource) || has(self.id) || ${CEL_READING}`,
      message: NO_READING,
      field: '.narrow',
      reason: 'FieldValueForbidden',
    },
  ],
}

const KNOWN: readonly string[] = [...METHODS, '*']
const NO_METHOD = `is no method: one of ${KNOWN.join(', ')}`
const EVERY_METHOD = 'a permission for every method of the route, or for "*", which stands for all that are not named'
/** CEL for the methods of a route, and for those that no permission is named for. */
const ANSWERED = `(has(self.methods) ? self.methods + ('GET' in self.methods && !('HEAD' in self.methods) ? ['HEAD'] : []) : ${celList([...methodsOf({})])})`
const COVERED =
  "('*' in self.permissionByMethod || m in self.permissionByMethod || (m == 'HEAD' && 'GET' in self.permissionByMethod))"
const UNCOVERED = `${ANSWERED}.filter(m, !${COVERED})`

const methodsAreKnown: RouteRule = {
  name: 'permissionByMethod names methods',
  reads: [],
  check: ({ permissionByMethod }) => {
    const unknown = isObject(permissionByMethod)
      ? Object.keys(permissionByMethod).find((name) => !KNOWN.includes(name))
      : undefined
    return unknown === undefined
      ? undefined
      : { at: ['permissionByMethod'], message: wrong(`${echo(unknown)} ${NO_METHOD}`), below: [unknown] }
  },
  cluster: [
    {
      on: 'permissionByMethod',
      rule: `self.all(m, m in ${celList(KNOWN)})`,
      message: `something in it ${NO_METHOD}`,
      says: `${celQuoted(`self.filter(m, !(m in ${celList(KNOWN)}))[0]`)} + ' ${NO_METHOD}'`,
    },
  ],
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
      message: required(`${EVERY_METHOD}: there is none for ${uncovered.join(', ')}`),
    }
  },
  cluster: [
    {
      rule: `!has(self.permissionByMethod) || ${UNCOVERED}.size() == 0`,
      message: EVERY_METHOD,
      field: '.permissionByMethod',
      reason: 'FieldValueRequired',
    },
  ],
}

const ONE_OF_TWO = 'customer is checked here: exactly one of the two'

const customersOneWay: RouteRule = {
  name: 'customers are checked here or at the upstream',
  reads: [],
  check: ({ customer, customersAtUpstream }) =>
    customer === undefined || customersAtUpstream === undefined
      ? undefined
      : { at: ['customersAtUpstream'], message: forbidden(ONE_OF_TWO) },
  cluster: [
    {
      rule: '!has(self.customer) || !has(self.customersAtUpstream)',
      message: ONE_OF_TWO,
      field: '.customersAtUpstream',
      reason: 'FieldValueForbidden',
    },
  ],
}

export const ROUTE_RULES: readonly RouteRule[] = [
  oneAccess,
  publicAsksNothing,
  distinct('methods'),
  noParameterTwice,
  namesParameter('id'),
  namesParameter('customer'),
  ...REACH_RULES,
  narrowSaysHow,
  listsAreNarrowed,
  methodsAreKnown,
  everyMethodHasPermission,
  customersOneWay,
]
