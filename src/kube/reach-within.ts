/** Where inside an access namespace some route reaches with a permission: what has to be asked of people place by place. */
import type { NamespaceType, AccessNamespace as Place } from '../core/namespace.ts'
import type { Permission } from '../core/permission.ts'
import { sameJson } from '../resources/same-json.ts'
import type { WithinRoute } from '../resources/within-routes.ts'
import { type LastReadable, lastReadable } from './policy-in-force.ts'
import type { PolicyStatuses, Seen, SeenApi } from './policy-status.ts'

export type ReachWithin = {
  /** To be told of every change; what could be read once goes on, as it does in authz. */
  readonly remember: PolicyStatuses['remember']
  /** Of the permissions those that some route reaches `within` with from this access namespace, and the places, sorted. */
  readonly insideOf: (
    accessNamespace: string,
    permissions: readonly Permission[],
  ) => ReadonlyMap<Permission, readonly string[]>
  /** Another number once an answer may be another one. */
  readonly revision: () => number
}

const NOTHING: ReadonlyMap<Permission, readonly string[]> = new Map()

/**
 * Access namespaces count here by type and parent alone: one that has no place in the tree for another reason is reached by
 * nobody, and asked about all the same.
 */
export function makeReachWithin(): ReachWithin {
  const places = lastReadable<Place>()
  const apis = lastReadable<SeenApi>()
  let revision = 0
  let compiled: Compiled | undefined

  const current = (): Compiled => {
    compiled ??= compile(
      places.all(),
      apis.all().flatMap(({ within }) => within),
    )
    return compiled
  }

  /** @param counts what of it may change an answer */
  const remember = <T>(last: LastReadable<T>, counts: (value: T) => unknown, { key, now }: News<T>): void => {
    const counted = (value: T | undefined) => value && counts(value)
    const before = counted(last.of(key))
    last.remember(key, now)
    if (sameJson(before, counted(last.of(key)))) return
    revision += 1
    compiled = undefined
  }

  return {
    remember: (kind, key, seen) => {
      if (kind === 'AccessNamespace') {
        const now = seen as Seen<Place> | undefined
        remember(places, ({ type, parent }) => ({ type, parent }), { key, now })
      }
      if (kind === 'ProtectedApi') {
        const now = seen as Seen<SeenApi> | undefined
        remember(apis, ({ within }) => within, { key, now })
      }
    },
    revision: () => revision,
    insideOf: (accessNamespace, permissions) => {
      const { typeOf, typesBy, inside } = current()
      const reached = typesBy.get(typeOf.get(accessNamespace) ?? '')
      if (reached === undefined) return NOTHING
      return new Map(
        permissions.flatMap((permission): [Permission, readonly string[]][] => {
          const types = reached.get(permission)
          return types === undefined ? [] : [[permission, inside(accessNamespace, types)]]
        }),
      )
    },
  }
}

type News<T> = { readonly key: string; readonly now: Seen<T> | undefined }

type Compiled = {
  readonly typeOf: ReadonlyMap<string, NamespaceType>
  /** By the type of the key's access namespace. */
  readonly typesBy: ReadonlyMap<string, ReadonlyMap<Permission, ReadonlySet<NamespaceType>>>
  readonly inside: (name: string, types: ReadonlySet<NamespaceType>) => readonly string[]
}

function compile(places: readonly Pick<Place, 'name' | 'type' | 'parent'>[], routes: readonly WithinRoute[]): Compiled {
  const children = Map.groupBy(places, ({ parent }) => parent)
  const typesBy = new Map<string, Map<Permission, Set<NamespaceType>>>()
  for (const { from, permission, to } of routes) {
    const byPermission = typesBy.get(from) ?? new Map<Permission, Set<NamespaceType>>()
    typesBy.set(from, byPermission.set(permission, (byPermission.get(permission) ?? new Set()).add(to)))
  }
  const collected = new Map<string, readonly string[]>()
  const collect = (name: string, types: ReadonlySet<NamespaceType>, above: ReadonlySet<string>): string[] =>
    (children.get(name) ?? []).flatMap((child) => {
      // parents that stand in a circle are in no tree
      if (above.has(child.name)) return []
      const below = collect(child.name, types, new Set([...above, child.name]))
      return types.has(child.type) ? [child.name, ...below] : below
    })
  return {
    typeOf: new Map(places.map(({ name, type }) => [name, type])),
    typesBy,
    inside: (name, types) => {
      const key = `${name} ${[...types].sort().join()}`
      const known = collected.get(key) ?? collect(name, types, new Set([name])).sort()
      collected.set(key, known)
      return known
    },
  }
}
