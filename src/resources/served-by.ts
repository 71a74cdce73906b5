/** PURE: which adapters can serve which routes of a ProtectedApi: the others refuse lists that they can't cut. */
import { ADAPTERS, type Adapter } from '../core/adapter.ts'
import { lacking } from '../core/narrow.ts'
import { reads } from '../core/reach.ts'
import { methodsOf, type RouteSpec } from '../core/route.ts'

export type Served = {
  readonly name: Adapter
  /** How many of the routes it serves, for every method that they answer. */
  readonly serves: number
  /** Those that it does not, such as `GET /v1/workspaces: narrow.filter`; absent where there is none. */
  readonly refuses?: readonly string[]
}

export const servedBy = (routes: readonly RouteSpec[]): readonly Served[] =>
  (Object.keys(ADAPTERS) as Adapter[]).map((name) => {
    const refuses = routes.flatMap((route) => {
      const lacks = lacking(route.narrow ?? {}, ADAPTERS[name])
      return lacks === undefined ? [] : [`${listed(route)} ${route.path}: narrow.${lacks}`]
    })
    return { name, serves: routes.length - refuses.length, ...(refuses.length > 0 && { refuses }) }
  })

/** What is narrowed of a route: the methods that list. GET covers HEAD. */
function listed(route: RouteSpec): string {
  const methods = [...methodsOf(route)].filter(reads)
  return methods.filter((method) => method !== 'HEAD' || !methods.includes('GET')).join(',')
}
