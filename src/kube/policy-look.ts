/** PURE: one look at the policy of a cluster: what is in force for whoever begins now. */
import type { HostTable } from '../core/host.ts'
import type { NamespaceTree } from '../core/namespace.ts'
import { type KubeObject, keyOf } from './objects.ts'
import { accessNamespaceOf, protectedApiOf, type Said } from './policy.ts'
import { hostsInForce, type PolicyInForce, treeInForce } from './policy-in-force.ts'
import type { SetAside } from './set-aside.ts'

export type PolicyLook = {
  readonly hosts: HostTable
  readonly tree: NamespaceTree
  /** `ProtectedApi team/main: why`, of what is set aside. */
  readonly problems: readonly string[]
}

export function policyLook(apis: readonly KubeObject[], namespaces: readonly KubeObject[]): PolicyLook {
  const problems: string[] = []
  const noted: Pick<SetAside, 'noteAll'> = {
    noteAll: (kind, found) => void problems.push(...[...found].map(([name, problem]) => `${kind} ${name}: ${problem}`)),
  }
  const hosts = compiled(hostsInForce(noted), apis.map(named(protectedApiOf)))
  const tree = compiled(treeInForce(noted), namespaces.map(named(accessNamespaceOf)))
  return { hosts, tree, problems }
}

const named =
  <T>(read: (object: KubeObject) => Said<T>) =>
  (object: KubeObject): readonly [string, Said<T>] => [keyOf(object), read(object)]

function compiled<T, Compiled>(
  policy: PolicyInForce<T, Compiled>,
  all: readonly (readonly [string, Said<T>])[],
): Compiled {
  for (const [name, said] of all) policy.changed(name, said, undefined)
  return policy.compile(all)
}
