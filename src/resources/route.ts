/** One entry of a ProtectedApi's routes: its shape. */
import { z } from 'zod'
import { NAMESPACE_TYPES, REACHES } from '../core/namespace.ts'
import { METHODS } from '../core/route.ts'
import { matching, permission } from './common.ts'
import { wrongPath } from './route-path.ts'

// `/`, or segments: literals without dot segments, `;` and `%`, {parameters}, and `**` last
const PATH =
  /^(\/|(\/(([A-Za-z0-9_~!$&'()+,=:@-]|\.[A-Za-z0-9_~-])[A-Za-z0-9._~!$&'()+,=:@-]*|\{[a-z][A-Za-z0-9]{0,31}\}))*(\/\*\*)?)$/

const path = z
  .string()
  .min(1, { abort: true })
  .max(256, { abort: true })
  .regex(PATH, { error: ({ input }) => wrongPath(String(input)) })

const parameter = () =>
  matching({ max: 32, pattern: /^[a-z][A-Za-z0-9]*$/, right: 'the name of a {parameter} of the path, without braces' })

const onlyTrue = () => z.literal(true)

const methodPermission = () => permission().exactOptional()

const permissionByMethod = z.strictObject({
  GET: methodPermission(),
  HEAD: methodPermission(),
  POST: methodPermission(),
  PUT: methodPermission(),
  PATCH: methodPermission(),
  DELETE: methodPermission(),
  OPTIONS: methodPermission(),
  QUERY: methodPermission(),
  '*': methodPermission(),
})

const far = () => z.enum(REACHES).exactOptional()

const reach = z.strictObject({ organization: far(), application: far(), workspace: far(), userGroup: far() })

const pointer = () =>
  z
    .string()
    .max(256, { abort: true })
    .regex(/^(\/([^/~]|~[01])*)*$/, 'a JSON Pointer, such as /items')

const narrow = z.strictObject({
  // a dot or bracket in the name would be another parameter to some servers
  query: matching({
    max: 64,
    pattern: /^[A-Za-z0-9_-]+$/,
    right: 'the name of a query parameter: letters, digits, _ and -',
  })
    .describe('the query parameter that takes the ids')
    .optional(),
  filter: z
    .strictObject({
      items: pointer().describe('JSON Pointer to the array'),
      id: pointer().describe('JSON Pointer inside an item to its id'),
    })
    .describe('cuts the list out of the response')
    .optional(),
  upstream: onlyTrue().describe('the upstream honours x-keyward-visible').optional(),
})

export const MAX_ROUTES = 256

export const route = z.strictObject({
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .max(METHODS.length)
    .describe('all but OPTIONS, unless some are named')
    .optional(),
  path: path.describe('such as /v1/workspaces/{id}'),
  public: onlyTrue().describe('needs no key').optional(),
  authenticated: onlyTrue().describe('any valid key will do').optional(),
  permission: permission().describe('what a key must hold').optional(),
  permissionByMethod: permissionByMethod.describe('what a key must hold for each method').optional(),
  resource: z.enum(NAMESPACE_TYPES).describe('the type of access namespace that the route is about').optional(),
  id: parameter().describe('the path parameter that names the resource').optional(),
  reach: reach.describe('how far a key gets, by the type of its access namespace').optional(),
  narrow: narrow.describe('how a list is cut down to the visible set').optional(),
  customer: parameter().describe('the path parameter that names the customer').optional(),
  customersAtUpstream: onlyTrue().describe('the upstream honours x-keyward-customers').optional(),
})

/** A route as it is written. */
export type RawRoute = z.input<typeof route>
