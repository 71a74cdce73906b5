/**
 * PURE: what can be told from ClusterRoles and their bindings without asking: which groups matter, what somebody may grant by
 * them, and whether that is still the same. The API server's own answer counts; this says when it is worth asking.
 */
import type { Permission } from '../core/permission.ts'
import { type Person, serviceAccountOf } from '../core/person.ts'
import { isObject } from './problem.ts'

export type Subject = { readonly kind: string; readonly name: string; readonly namespace?: string | undefined }

/** A ClusterRoleBinding. */
export type Binding = {
  readonly role: string
  readonly subjects: readonly Subject[]
}

/** What a rule gives of access namespaces: the rest is nobody's business here. */
export type GrantRule = {
  /** Permissions, or `*`. */
  readonly verbs: ReadonlySet<string>
  /** Empty: on all access namespaces. */
  readonly names: ReadonlySet<string>
}

/** What somebody may grant: of each ClusterRole that they are bound to, its rules, the same object as long as they say the same. */
export type Rights = ReadonlySet<readonly GrantRule[]>

const GROUPS: ReadonlySet<string> = new Set(['keyward.dev', '*'])
/** As the API server's own RBAC matches a subresource. */
const RESOURCES: ReadonlySet<string> = new Set(['accessnamespaces/permissions', '*/permissions', '*'])

/** @param rules of a ClusterRole, as they lie on the API server */
export function grantRules(rules: unknown): readonly GrantRule[] {
  const all = Array.isArray(rules) ? rules.filter(isObject) : []
  return all.flatMap(({ apiGroups, resources, verbs, resourceNames }): GrantRule[] => {
    const isOurs =
      texts(apiGroups).some((group) => GROUPS.has(group)) && texts(resources).some((one) => RESOURCES.has(one))
    return isOurs && texts(verbs).length > 0
      ? [{ verbs: new Set(texts(verbs)), names: new Set(texts(resourceNames)) }]
      : []
  })
}

/** @param object a ClusterRoleBinding */
export function bindingOf({ roleRef, subjects }: Readonly<Record<string, unknown>>): Binding {
  const role = isObject(roleRef) && roleRef.kind === 'ClusterRole' ? roleRef.name : undefined
  const all = Array.isArray(subjects) ? subjects.filter(isObject) : []
  return {
    role: typeof role === 'string' ? role : '',
    subjects: all.flatMap(({ kind, name, namespace }): Subject[] => {
      if (typeof kind !== 'string' || typeof name !== 'string') return []
      return [{ kind, name, namespace: typeof namespace === 'string' ? namespace : undefined }]
    }),
  }
}

const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []

/** A subject in one text. */
export const subjectKey = ({ kind, name, namespace }: Subject): string =>
  kind === 'ServiceAccount' ? `${kind} ${namespace ?? ''}/${name}` : `${kind} ${name}`

/** All the subjects that somebody is. */
export function subjectKeys({ username, groups }: Pick<Person, 'username' | 'groups'>): readonly string[] {
  const account = serviceAccountOf({ username })
  return [
    subjectKey({ kind: 'User', name: username }),
    ...groups.map((name) => subjectKey({ kind: 'Group', name })),
    ...(account === undefined ? [] : [subjectKey({ kind: 'ServiceAccount', ...account })]),
  ]
}

export type Granted = {
  readonly permission: Permission
  /** undefined: on every one of them. */
  readonly accessNamespace: string | undefined
}

/** Whether these rights give it. */
export function mayGrant(rights: Rights, { permission, accessNamespace }: Granted): boolean {
  for (const rules of rights) {
    for (const { verbs, names } of rules) {
      const isNamed = names.size === 0 || (accessNamespace !== undefined && names.has(accessNamespace))
      if (isNamed && (verbs.has(permission) || verbs.has('*'))) return true
    }
  }
  return false
}

export function sameRights(a: Rights, b: Rights): boolean {
  if (a.size !== b.size) return false
  for (const rules of a) if (!b.has(rules)) return false
  return true
}
