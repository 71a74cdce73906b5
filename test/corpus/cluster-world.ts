/** A cluster with all of Keyward on it, for the cases of the corpus about the resources: the API server, operator, authz, and an API at api.test. */
import { load } from 'js-yaml'
import { expect } from 'vitest'
import { claim } from '../support/claimant.ts'
import type { Answer, Cluster } from '../support/cluster.ts'
import type { ClusterAuthz } from '../support/cluster-authz.ts'
import { applyKey } from '../support/cluster-keys.ts'
import type { Operator } from '../support/operator.ts'
import { THINGS } from '../support/things.ts'

export type ClusterWorld = {
  readonly cluster: Cluster
  readonly authz: ClusterAuthz
  /** Whichever runs now. */
  readonly operator: () => Operator
  readonly startOperator: () => Promise<Operator>
}

export type ClusterCase = (world: ClusterWorld) => Promise<void>

export type Fields = Readonly<Record<string, unknown>>

/** Where the keys of the cases lie. */
export const TEAM = 'team-a'
export const KEYS = `/apis/keyward.dev/v1alpha1/namespaces/${TEAM}/apikeys`

/** May write everything of Keyward in every Kubernetes namespace, and grant `thing:read`. */
export const EDITOR = { user: 'editor@example.com' }

export const WORLD = `{apiVersion: v1, kind: Namespace, metadata: {name: team}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ${TEAM}}}
---
${THINGS}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keyward-edit}
subjects: &editor
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: editor@example.com}
  - {kind: ServiceAccount, namespace: ${TEAM}, name: controller}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-things}
rules: [{apiGroups: [keyward.dev], resources: [accessnamespaces/permissions], resourceNames: [acme], verbs: ["thing:read"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads-things}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-things}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: editor@example.com}
  - {kind: ServiceAccount, namespace: ${TEAM}, name: controller}
`

/** A key that reads things. `undefined` takes a field out. */
export const aKey = (name: string, spec: Fields = {}, metadata: Fields = {}) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name, namespace: TEAM, ...metadata },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read'], ...spec },
})

/** As kubectl sends it; `Ignore` for `--validate=false`. */
export const create = (
  { cluster }: Pick<ClusterWorld, 'cluster'>,
  object: unknown,
  validation: 'Strict' | 'Ignore' = 'Strict',
): Promise<Answer> => cluster.request('POST', `${KEYS}?fieldValidation=${validation}`, object)

export const messageOf = ({ body }: Answer): string => String((body as { readonly message?: unknown }).message)

/** The manifest between `<<'E'` and `E` of a command line, word for word. */
export function manifestIn(input: string): unknown {
  const [, text = ''] = /<<'E'\n([\s\S]*?)\nE\b/.exec(input) ?? []
  return load(text.replace('[/* 10,000 entries */]', JSON.stringify(MANY)))
}

export const MANY: readonly string[] = Array.from({ length: 10_000 }, (_, i) => `thing:read${i}`)

export async function expectAbsent({ cluster }: Pick<ClusterWorld, 'cluster'>, name: string): Promise<void> {
  expect([name, (await cluster.request('GET', `${KEYS}/${name}`)).status]).toEqual([name, 404])
}

/** Made, claimed, and let through by authz. */
export async function keyInForce(world: ClusterWorld, name: string, spec: Fields = {}): Promise<string> {
  await applyKey(world.cluster, `${TEAM}/${name}`, { permissions: ['thing:read'], ...spec })
  const { key } = await (await claim(world.cluster, { namespace: TEAM, apiKey: name })).open()
  await world.authz.comesTo({ key }, '200')
  return key
}
