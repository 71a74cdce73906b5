/** Kubernetes objects as they are sent and read, which of them we know, and where they lie. */

export type KubeOwner = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean | undefined
  readonly blockOwnerDeletion?: boolean | undefined
}

export type KubeManaged = {
  readonly manager?: string | undefined
  readonly operation?: string | undefined
  readonly time?: string | undefined
  readonly subresource?: string | undefined
  readonly fieldsV1?: unknown
}

export type KubeMeta = {
  readonly name: string
  readonly namespace?: string | undefined
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number | undefined
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly ownerReferences?: readonly KubeOwner[] | undefined
  readonly managedFields?: readonly KubeManaged[] | undefined
}

export type KubeObject = {
  readonly apiVersion?: string | undefined
  readonly kind?: string | undefined
  readonly metadata: KubeMeta
  readonly [field: string]: unknown
}

/** What is to become an object: the server adds the rest. */
export type KubeDraft = {
  readonly apiVersion?: string | undefined
  readonly kind?: string | undefined
  readonly metadata: Partial<KubeMeta>
  readonly [field: string]: unknown
}

export type Resource = {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

const ours = (plural: string, kind: string, namespaced = true): Resource => ({
  group: 'keyward.dev',
  version: 'v1alpha1',
  plural,
  kind,
  namespaced,
})

export const API_KEYS: Resource = ours('apikeys', 'ApiKey')
export const CLAIMS: Resource = ours('apikeyclaims', 'ApiKeyClaim')
export const ACCESS_NAMESPACES: Resource = ours('accessnamespaces', 'AccessNamespace', false)
export const PROTECTED_APIS: Resource = ours('protectedapis', 'ProtectedApi')
export const TOKEN_ISSUERS: Resource = ours('tokenissuers', 'TokenIssuer', false)

const core = (plural: string, kind: string, namespaced = true): Resource => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
})

export const SECRETS: Resource = core('secrets', 'Secret')
export const CONFIG_MAPS: Resource = core('configmaps', 'ConfigMap')
export const NAMESPACES: Resource = core('namespaces', 'Namespace', false)
export const SERVICE_ACCOUNTS: Resource = core('serviceaccounts', 'ServiceAccount')

const rbac = (plural: string, kind: string): Resource => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
})

export const CLUSTER_ROLES: Resource = rbac('clusterroles', 'ClusterRole')
export const CLUSTER_ROLE_BINDINGS: Resource = rbac('clusterrolebindings', 'ClusterRoleBinding')
export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}
export const EVENTS: Resource = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

export type Ref = { readonly namespace?: string | undefined; readonly name: string }

export type Place = {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly subresource?: string | undefined
}

export const apiVersionOf = ({ group, version }: Resource): string => (group === '' ? version : `${group}/${version}`)

/** Such as `/apis/keyward.dev/v1alpha1/namespaces/team/apikeys/main/status`; without a namespace: of all of them. */
export function pathOf(resource: Resource, { namespace, name, subresource }: Place): string {
  const { group, version, plural } = resource
  // it would lead to nothing, and nothing there is not to be taken for an object that is gone
  if (!resource.namespaced && namespace !== undefined) throw new TypeError(`${plural} lie in no namespace`)
  if (resource.namespaced && name !== undefined && namespace === undefined)
    throw new TypeError(`${plural} lie in a namespace`)
  const parts = [
    group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
    ...(namespace === undefined ? [] : ['namespaces', segment(namespace)]),
    plural,
    ...(name === undefined ? [] : [segment(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ]
  return parts.join('/')
}

/** A name comes from outside now and then: none of them may lead elsewhere, whoever decodes it on the way. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name))
    throw new TypeError('not a name of a Kubernetes object')
  return encodeURIComponent(name)
}

/** `namespace/name`, or `name` of what lies in no namespace. */
export const keyOf = ({ metadata }: { readonly metadata: Pick<KubeMeta, 'name' | 'namespace'> }): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
