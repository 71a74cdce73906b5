/** PURE: what can be told from roles and bindings without asking: which groups matter, and whether somebody may grant anything at all. */
import type { Person } from './person.ts'
import { serviceAccountOf } from './person.ts'
import { GROUP } from './review-spec.ts'

export type Subject = { readonly kind: string; readonly name: string; readonly namespace?: string | undefined }

/** A ClusterRoleBinding. */
export type Binding = {
  readonly role: string
  readonly subjects: readonly Subject[]
}

export type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** Groups that some binding names: the others give nothing today. */
export const namedGroups = (bindings: Iterable<Binding>): ReadonlySet<string> =>
  new Set(
    Iterator.from(bindings).flatMap(({ subjects }) =>
      subjects.flatMap(({ kind, name }) => (kind === 'Group' ? [name] : [])),
    ),
  )

/** Whether any ClusterRole that the person is bound to gives a permission on some access namespace. */
export function grantsAnything(
  person: Person,
  bindings: Iterable<Binding>,
  rulesOf: (role: string) => readonly Rule[],
): boolean {
  for (const { role, subjects } of bindings) {
    if (subjects.some((subject) => isOneOf(person, subject)) && rulesOf(role).some(grants)) return true
  }
  return false
}

function isOneOf(person: Person, { kind, name, namespace }: Subject): boolean {
  if (kind === 'User') return name === person.username
  if (kind === 'Group') return person.groups.includes(name)
  const account = serviceAccountOf(person)
  return account !== undefined && account.name === name && account.namespace === namespace
}

const grants = ({ apiGroups, resources, verbs }: Rule): boolean =>
  apiGroups.some((group) => group === GROUP || group === '*') &&
  resources.some((resource) => RESOURCES.has(resource)) &&
  verbs.length > 0

/** As the API server's own RBAC matches a subresource. */
const RESOURCES: ReadonlySet<string> = new Set(['accessnamespaces/permissions', '*/permissions', '*'])
