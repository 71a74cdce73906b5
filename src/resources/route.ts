/** One entry of a ProtectedApi's routes: its shape. */
import { z } from 'zod'
import { NAMESPACE_TYPES, REACHES } from '../core/namespace.ts'
import { METHODS } from '../core/route.ts'
import { matching, permission, type SchemaMeta } from './common.ts'
import { CEL_WRONG_PATH, wrongPath } from './route-path.ts'

// `/`, or segments: literals without dot segments, `;` and `%`, {parameters}, and `**` last
const PATH =
  /^(\/|(\/(([A-Za-z0-9_~!$&'()+,=:@-]|\.[A-Za-z0-9_~-])[A-Za-z0-9._~!$&'()+,=:@-]*|\{[a-z][A-Za-z0-9]{0,31}\}))*(\/\*\*)?)$/

const path = z
  .string()
  .min(1, { abort: true })
  .max(256, { abort: true })
  .regex(PATH, { error: ({ input }) => wrongPath(String(input)) })
  .meta({
    right: 'a path of literal segments, {parameters} and "**" last',
    rightSays: CEL_WRONG_PATH,
  } satisfies SchemaMeta)

const parameter = () =>
  matching({ max: 32, pattern: /^[a-z][A-Za-z0-9]*$/, right: 'the name of a {parameter} of the path, without braces' })

const onlyTrue = () => z.literal(true)

/** A mapping and no set of fields: CEL can't name a field that is called "*". Which methods there are is a rule's affair. */
const permissionByMethod = z.record(z.string(), permission()).meta({ maxProperties: METHODS.length + 1 })

const far = () =>
  z
    .enum(REACHES)
    .describe('lineage: the one resource on the way up, itself included. within: all that lie inside')
    .exactOptional()

const reach = z.strictObject({ organization: far(), application: far(), workspace: far(), userGroup: far() })

const POINTER = 'a JSON Pointer, such as /items'

const pointer = () =>
  z
    .string()
    .max(256, { abort: true })
    .regex(/^(\/([^/~]|~[01])*)*$/, POINTER)
    .meta({ right: POINTER } satisfies SchemaMeta)

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
  upstream: onlyTrue().describe('true: the upstream honours x-keyward-visible').optional(),
})

export const MAX_ROUTES = 256

export const route = z.strictObject({
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .max(METHODS.length)
    .describe('which methods it answers. Left out: all but OPTIONS. GET covers HEAD')
    .optional(),
  path: path.describe(
    'the path, such as /v1/workspaces/{id}. {name} stands for one segment, ** at the end for the rest',
  ),
  public: onlyTrue().describe('true: it needs no key').optional(),
  authenticated: onlyTrue().describe('true: any valid key will do').optional(),
  permission: permission().describe('what a key must hold').optional(),
  permissionByMethod: permissionByMethod
    .describe('what a key must hold for each method. "*" stands for all that are not named')
    .optional(),
  resource: z.enum(NAMESPACE_TYPES).describe('the type of access namespace that the route is about').optional(),
  id: parameter().describe('the path parameter that names the resource by its externalId').optional(),
  reach: reach
    .describe('how far a key gets, by the type of its access namespace. A type that is left out gets nowhere')
    .optional(),
  narrow: narrow
    .describe('how a list is cut down to what the key may see: at least one of query, filter and upstream')
    .optional(),
  customer: parameter()
    .describe('the path parameter that names the customer, who must be among the customers of the key')
    .optional(),
  customersAtUpstream: onlyTrue().describe('true: the upstream honours x-keyward-customers').optional(),
})

/** A route as it is written. */
export type RawRoute = z.input<typeof route>
