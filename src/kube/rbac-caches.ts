/**
 * What a replica knows of who may grant what: ClusterRoles and their bindings, and which ServiceAccounts there are. As little
 * is kept as says that; most of them say nothing of access namespaces.
 */
import type { Person } from '../core/person.ts'
import {
  type Binding,
  bindingOf,
  type GrantRule,
  grantRules,
  type Rights,
  subjectKey,
  subjectKeys,
} from '../resources/rights.ts'
import { once } from '../runtime/once.ts'
import type { KubeClient } from './client.ts'
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, type Resource, SERVICE_ACCOUNTS } from './objects.ts'
import { makeReading } from './reading.ts'
import type { Reflector, ReflectorParts, reflect } from './reflector.ts'
import { toMend } from './watch-trouble.ts'

export type RbacCachesParts = {
  readonly client: KubeClient
  readonly reflect: typeof reflect
  /** Somebody may hold more or less than before, or a ServiceAccount came or went. */
  readonly onChange: () => void
  /** @param problem what somebody has to mend, in words */
  readonly onTrouble: (error: unknown, problem: string | undefined) => void
  readonly steadyMs: () => number
  readonly jitter: () => number
}

export type RbacCaches = {
  /** Whether a binding names the group; undefined, the whole of it: that isn't known yet. For stamps (`lasting`). */
  readonly isNamedGroup: () => ((group: string) => boolean) | undefined
  /** Whether any role gives this person anything to grant; only for the words of a refusal. */
  readonly grantsAnything: (person: Person) => boolean
  /** By RBAC alone, as far as it is seen here. */
  readonly rightsOf: (person: Person) => Rights
  /** undefined: there is none. */
  readonly serviceAccountUid: (namespace: string, name: string) => string | undefined
  /** Whether all of it has been read; until then nothing here means that something is not there. */
  readonly synced: () => boolean
  /** What has not been read yet, in words; undefined: nothing. */
  readonly missing: () => string | undefined
  readonly run: (stop: AbortSignal) => Promise<void>
  readonly whenSynced: () => Promise<void>
  /** Of the one that is furthest behind. */
  readonly staleMs: () => number
}

const NO_RULES: readonly GrantRule[] = []

export function openRbacCaches({ reflect, onChange, ...parts }: RbacCachesParts): RbacCaches {
  const reading = makeReading()
  const watch = <T>(
    resource: Resource,
    wanted: Pick<ReflectorParts<T>, 'read'> & { readonly changed?: ReflectorParts<T>['onChange'] },
  ): Reflector<T> => {
    const reflector = reflect<T>({
      ...parts,
      resource,
      read: wanted.read,
      onTrouble: (error) => {
        reading.failed(error, resource)
        parts.onTrouble(error, toMend(error, resource))
      },
      onChange: (key, now, before) => {
        if (now === before) return
        wanted.changed?.(key, now, before)
        onChange()
      },
    })
    reading.add(resource, reflector)
    return reflector
  }
  const sameRules = interned()
  const roles = watch<readonly GrantRule[]>(CLUSTER_ROLES, { read: ({ rules }) => sameRules(grantRules(rules)) })
  /** Names of ClusterRoles, as often as they are bound. */
  const bound = keepBound()
  const bindings = watch<Binding>(CLUSTER_ROLE_BINDINGS, {
    read: bindingOf,
    changed: (_key, now, before) => {
      if (before !== undefined) bound.unbind(before)
      if (now !== undefined) bound.bind(now)
    },
  })
  const accounts = watch<string>(SERVICE_ACCOUNTS, { read: ({ metadata }) => metadata.uid })
  const reflectors: readonly Reflector<unknown>[] = [roles, bindings, accounts]

  const rightsOf = (person: Person): Rights => {
    const rights = new Set<readonly GrantRule[]>()
    for (const role of bound.rolesOf(subjectKeys(person))) {
      const rules = roles.get(role) ?? NO_RULES
      if (rules.length > 0) rights.add(rules)
    }
    return rights
  }

  return {
    isNamedGroup: () => (bindings.synced() ? bound.isNamedGroup : undefined),
    grantsAnything: (person) => rightsOf(person).size > 0,
    rightsOf,
    serviceAccountUid: (namespace, name) => accounts.get(`${namespace}/${name}`),
    synced: () => reflectors.every((reflector) => reflector.synced()),
    missing: reading.missing,
    run: async (stop) => {
      await Promise.all(reflectors.map((reflector) => reflector.run(stop)))
    },
    whenSynced: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.whenSynced()))
    },
    staleMs: () => Math.max(...reflectors.map((reflector) => reflector.staleMs())),
  }
}

/** Rules that say the same as some before are the same object. */
function interned(): (rules: readonly GrantRule[]) => readonly GrantRule[] {
  const known = once<readonly GrantRule[]>()
  return (rules) => {
    if (rules.length === 0) return NO_RULES
    return known(JSON.stringify(rules.map(({ verbs, names }) => [[...verbs], [...names]])), rules)
  }
}

/** Which subject is bound to which ClusterRoles, and how often. */
function keepBound() {
  const bySubject = new Map<string, Map<string, number>>()

  const count = ({ role, subjects }: Binding, by: 1 | -1): void => {
    for (const subject of new Set(subjects.map(subjectKey))) {
      const roles = bySubject.get(subject) ?? new Map<string, number>()
      const times = (roles.get(role) ?? 0) + by
      if (times > 0) roles.set(role, times)
      else roles.delete(role)
      if (roles.size > 0) bySubject.set(subject, roles)
      else bySubject.delete(subject)
    }
  }

  return {
    bind: (binding: Binding) => count(binding, 1),
    unbind: (binding: Binding) => count(binding, -1),
    rolesOf: (subjects: readonly string[]): ReadonlySet<string> =>
      new Set(subjects.flatMap((subject) => [...(bySubject.get(subject)?.keys() ?? [])])),
    isNamedGroup: (group: string): boolean => bySubject.has(subjectKey({ kind: 'Group', name: group })),
  }
}
