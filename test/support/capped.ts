/** A cluster with an operator and authz, on which people hold what their roles say, and how long a change of those takes. */
import type { Cluster } from './cluster.ts'
import type { ClusterAuthz, Question } from './cluster-authz.ts'
import { getKey } from './cluster-keys.ts'
import { expectOk } from './granted-keys.ts'
import { THINGS } from './things.ts'
import { until } from './until.ts'

/** Everybody may write keys, and grant nothing by that. */
export const WRITES_KEYS = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writes-keys}
rules: [{apiGroups: [keyward.dev], resources: [apikeys, apikeyclaims], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writes-keys}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writes-keys}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
`

/** An organization with an application and its workspaces, and the API of things with one more route: to workspaces. */
export const PLACES = `
{apiVersion: v1, kind: Namespace, metadata: {name: team}}
---
${THINGS}
    - methods: [GET, PUT]
      path: /workspaces/{id}
      permissionByMethod: {GET: "workspace:read", "*": "workspace:edit"}
      resource: workspace
      id: id
      reach: {workspace: lineage, application: within}
---
{apiVersion: keyward.dev/v1alpha1, kind: AccessNamespace, metadata: {name: acme-web}, spec: {type: application, parent: acme}}
---
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: web-eu}
spec: {type: workspace, parent: acme-web, externalId: eu-1}
---
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: web-us}
spec: {type: workspace, parent: acme-web, externalId: us-1}
---
${WRITES_KEYS}
`

/** Verbs are permissions. Its own name for role and binding. */
export type Grant = {
  readonly role: string
  readonly subjects: readonly object[]
  readonly verbs: readonly string[]
  /** All of them unless given. */
  readonly on?: readonly string[]
}

export const user = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })
export const group = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name })

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const APPLY = 'application/apply-patch+yaml'

type Requests = Pick<Cluster, 'request'>

/** The ClusterRole alone: what those who are bound to it may grant. */
export async function setRole(cluster: Requests, { role, verbs, on }: Omit<Grant, 'subjects'>): Promise<void> {
  const rule = { apiGroups: ['keyward.dev'], resources: ['accessnamespaces/permissions'], verbs }
  await expectOk(
    cluster,
    'PATCH',
    `${RBAC}/clusterroles/${role}?fieldManager=test&force=true`,
    {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: role } },
      rules: [on === undefined ? rule : { ...rule, resourceNames: on }],
    },
    APPLY,
  )
}

export async function bind(cluster: Requests, { role, subjects }: Pick<Grant, 'role' | 'subjects'>): Promise<void> {
  await expectOk(
    cluster,
    'PATCH',
    `${RBAC}/clusterrolebindings/${role}?fieldManager=test&force=true`,
    {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: role } },
      ...{ roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }, subjects },
    },
    APPLY,
  )
}

export async function grant(cluster: Requests, given: Grant): Promise<void> {
  await setRole(cluster, given)
  await bind(cluster, given)
}

export const unbind = (cluster: Requests, role: string): Promise<unknown> =>
  expectOk(cluster, 'DELETE', `${RBAC}/clusterrolebindings/${role}`)

/** What a key may do by its status. */
export async function effectiveOf(cluster: Requests, which: string): Promise<readonly string[]> {
  const status = (await getKey(cluster, which))?.status as { readonly permissions?: readonly string[] } | undefined
  return status?.permissions ?? []
}

export type Follows = {
  readonly authz: Pick<ClusterAuthz, 'outcome'>
  readonly question: Question
  readonly key: string
  readonly permissions: readonly string[]
  readonly outcome: string
}

/** @returns milliseconds until status and enforcement both say so, from the answer to the change on */
export async function followsWithin(cluster: Requests, wanted: Follows, withinMs: number): Promise<number> {
  const began = performance.now()
  const { authz, question, key, permissions, outcome } = wanted
  let last = ''
  await until(
    `${key} comes to ${outcome}`,
    async () => {
      const [now, effective] = await Promise.all([authz.outcome(question), effectiveOf(cluster, key)])
      last = `${now} [${effective}]`
      return last === `${outcome} [${permissions}]`
    },
    withinMs,
  ).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : error}; last: ${last}`)
  })
  return performance.now() - began
}

const KEPT = '/api/v1/namespaces/keyward-system/secrets'

/** As if a user who claimed a key had been attested so much earlier: what is kept of that is written anew. */
export async function attestEarlier(cluster: Requests, username: string, byMs: number): Promise<void> {
  const { body } = await cluster.request('GET', KEPT)
  const { items } = body as {
    readonly items: readonly { readonly metadata: { readonly name: string }; readonly data?: Record<string, string> }[]
  }
  for (const { metadata, data = {} } of items) {
    const claimants = Buffer.from(data.claimants ?? '', 'base64').toString()
    if (!claimants.includes(username)) continue
    const old = claimants.replace(/"at":(\d+)/g, (_all, at) => `"at":${Number(at) - byMs}`)
    const patch = { data: { claimants: Buffer.from(old).toString('base64') } }
    await expectOk(cluster, 'PATCH', `${KEPT}/${metadata.name}`, patch, 'application/merge-patch+json')
  }
}
