/** What holds between a route's resource and how far keys reach to it. */
import { NAMESPACE_TYPES, type NamespaceType, REACHES, type Reach } from '../core/namespace.ts'
import { celAnyOf, celMap } from './cel.ts'
import { withArticle } from './common.ts'
import { type Finding, invalid, required } from './problem.ts'
import type { RawRoute } from './route.ts'
import type { Rule } from './rule.ts'

type RouteRule = Rule<RawRoute>

const BOTH = 'resource and reach go together'
const OF_WHICH_TYPE = 'id names a resource: say of which type'

const resourceAndReach: RouteRule = {
  name: 'resource and reach go together, and id goes with them',
  reads: [],
  check: ({ resource, reach, id }) => {
    if (resource === undefined && reach !== undefined) return { at: ['resource'], message: required(BOTH) }
    if (resource !== undefined && reach === undefined) return { at: ['reach'], message: required(BOTH) }
    return resource === undefined && id !== undefined
      ? { at: ['resource'], message: required(OF_WHICH_TYPE) }
      : undefined
  },
  cluster: [
    {
      rule: '!has(self.reach) || has(self.resource)',
      message: BOTH,
      field: '.resource',
      reason: 'FieldValueRequired',
    },
    {
      rule: '!has(self.resource) || has(self.reach)',
      message: BOTH,
      field: '.reach',
      reason: 'FieldValueRequired',
    },
    {
      rule: '!has(self.id) || has(self.resource) || has(self.reach)',
      message: OF_WHICH_TYPE,
      field: '.resource',
      reason: 'FieldValueRequired',
    },
  ],
}

const SOME_TYPE = `at least one of ${NAMESPACE_TYPES.join(', ')}`

const reachNamesAType: RouteRule = {
  name: 'reach opens the route to at least one type',
  reads: ['reach'],
  check: ({ reach }) =>
    reach === undefined || Object.keys(reach).length > 0 ? undefined : { at: ['reach'], message: required(SOME_TYPE) },
  cluster: [{ on: 'reach', rule: celAnyOf(NAMESPACE_TYPES), message: SOME_TYPE, reason: 'FieldValueRequired' }],
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
      const why = far === undefined ? undefined : wrongWay({ type, far, resource })
      return why === undefined ? [] : [{ at: ['reach', type], message: invalid(far, why) }]
    })
  },
  cluster: NAMESPACE_TYPES.map((type) => {
    const wrongWays = celMap(wrongWaysOf(type))
    const way = `self.resource + ' ' + self.reach.${type}`
    return {
      rule: `!has(self.resource) || !has(self.reach) || !has(self.reach.${type}) || !(${way} in ${wrongWays})`,
      message: 'lineage is upward or the resource itself, within is downward',
      says: `'"' + self.reach.${type} + '": ' + ${wrongWays}[${way}]`,
      field: `.reach.${type}`,
    }
  }),
}

/** `workspace lineage` and the like, with what is wrong with it. */
function wrongWaysOf(type: NamespaceType): Readonly<Record<string, string>> {
  const ways = NAMESPACE_TYPES.flatMap((resource) => REACHES.map((far) => ({ type, far, resource })))
  return Object.fromEntries(
    ways.flatMap((way) => {
      const why = wrongWay(way)
      return why === undefined ? [] : [[`${way.resource} ${way.far}`, why]]
    }),
  )
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

export const REACH_RULES: readonly RouteRule[] = [resourceAndReach, reachNamesAType, reachGoesTheRightWay]
