/** Where inside an access namespace some route reaches with a permission: what has to be asked of people place by place. */
import type { NamespaceType, AccessNamespace as Place } from '../core/namespace.ts'
import type { Permission } from '../core/permission.ts'
import { sameJson } from '../resources/same-json.ts'
import type { WithinRoute } from '../resources/within-routes.ts'
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
  const places = keepReadable<Pick<Place, 'name' | 'type' | 'parent'>>()
  const routes = keepReadable<readonly WithinRoute[]>()
  let revision = 0
  let compiled: Compiled | undefined

  const current = (): Compiled => {
    compiled ??= compile([...places.all()], [...routes.all()].flat())
    return compiled
  }
  const changed = (isOther: boolean): void => {
    if (!isOther) return
    revision += 1
    compiled = undefined
  }

  return {
    remember: (kind, key, now) => {
      if (kind === 'AccessNamespace') {
        const seen = now as Seen<Place> | undefined
        changed(places.remember(key, seen, ({ name, type, parent }) => ({ name, type, parent })))
      }
      if (kind === 'ProtectedApi') {
        changed(routes.remember(key, now as Seen<SeenApi> | undefined, ({ within }) => within))
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

/** @returns of `remember`: whether it is another value now */
function keepReadable<Kept>() {
  const known = new Map<string, { readonly uid: string; readonly value: Kept }>()
  return {
    all: () => Iterator.from(known.values()).map(({ value }) => value),
    remember: <T>(key: string, now: Seen<T> | undefined, take: (value: T) => Kept): boolean => {
      const before = known.get(key)
      if (now?.read.kind === 'read') {
        const value = take(now.read.value)
        known.set(key, { uid: now.uid, value })
        return !sameJson(value, before?.value)
      }
      return before !== undefined && now?.uid !== before.uid && known.delete(key)
    },
  }
}

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
