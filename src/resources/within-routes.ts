/** PURE: which permissions get a key to all that is inside its access namespace, by which routes say so. */
import type { NamespaceType } from '../core/namespace.ts'
import type { Permission } from '../core/permission.ts'
import { methodsOf, permissionFor, type RouteSpec } from '../core/route.ts'

/** A key on an access namespace of type `from` gets with the permission to everything of type `to` inside it. */
export type WithinRoute = { readonly from: NamespaceType; readonly permission: Permission; readonly to: NamespaceType }

/** Each once. */
export function withinRoutes({ routes }: { readonly routes: readonly RouteSpec[] }): readonly WithinRoute[] {
  const found = new Map<string, WithinRoute>()
  for (const route of routes) {
    const { resource: to, reach = {} } = route
    if (to === undefined) continue
    for (const permission of permissionsOf(route)) {
      for (const [from, far] of Object.entries(reach) as [NamespaceType, string][]) {
        if (far === 'within') found.set(`${from} ${permission} ${to}`, { from, permission, to })
      }
    }
  }
  return [...found.values()]
}

const permissionsOf = (route: RouteSpec): ReadonlySet<Permission> =>
  new Set([...methodsOf(route)].flatMap((method) => permissionFor(route, method) ?? []))
