/** Whether what is shipped in deploy/ allows a request of one of our ServiceAccounts: RBAC, read without an API server. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'

const DEPLOY = join(import.meta.dirname, '../../deploy')

type Rule = {
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly verbs: readonly string[]
}

type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: readonly Rule[]
  readonly roleRef?: { readonly kind: string; readonly name: string }
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[]
}

export type Request = {
  readonly user: string
  readonly verb: string
  /** `/api/v1/…`, which tells the group. */
  readonly uri: string
  /** `secrets`, `apikeys/status`; empty: no resource. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

type Given = { readonly user: string; readonly namespace: string | undefined; readonly rules: readonly Rule[] }

function shippedManifests(): readonly Manifest[] {
  const files = readdirSync(DEPLOY).filter((file) => file.endsWith('.yaml'))
  return files.flatMap((file) => loadAll(readFileSync(join(DEPLOY, file), 'utf8')) as Manifest[])
}

/** What Kubernetes itself gives to whoever is signed in: discovery, and questions about oneself. */
const EVERYBODY: Rule = {
  apiGroups: ['authorization.k8s.io', 'authentication.k8s.io'],
  resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'],
  nonResourceURLs: ['/version', '/api', '/apis', '/livez', '/readyz', '/healthz'],
  verbs: ['get', 'create'],
}

export function shippedRights(): (request: Request) => boolean {
  const manifests = shippedManifests()
  const given = manifests.flatMap((binding) => givenBy(binding, manifests))
  return (request) =>
    allows(EVERYBODY, request) ||
    given.some(
      ({ user, namespace, rules }) =>
        user === request.user &&
        (namespace === undefined || namespace === request.namespace) &&
        rules.some((rule) => allows(rule, request)),
    )
}

function givenBy({ kind, metadata, roleRef, subjects = [] }: Manifest, manifests: readonly Manifest[]): Given[] {
  if (roleRef === undefined) return []
  const namespace = kind === 'RoleBinding' ? metadata.namespace : undefined
  const role = manifests.find(
    (one) =>
      one.kind === roleRef.kind &&
      one.metadata.name === roleRef.name &&
      (one.kind === 'ClusterRole' || one.metadata.namespace === namespace),
  )
  return subjects
    .filter((subject) => subject.kind === 'ServiceAccount')
    .map((subject) => ({
      user: `system:serviceaccount:${subject.namespace}:${subject.name}`,
      namespace,
      rules: role?.rules ?? [],
    }))
}

function allows(rule: Rule, { verb, uri, resource, name }: Request): boolean {
  const { apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [], verbs } = rule
  if (!verbs.includes(verb)) return false
  if (resource === '') return nonResourceURLs.includes(uri.replace(/\?.*$/s, ''))
  return (
    apiGroups.includes(groupOf(uri)) &&
    resources.includes(resource) &&
    (resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name)))
  )
}

/** The core group has no name, and a path of its own. */
const groupOf = (uri: string): string => /^\/apis\/([^/]+)\//.exec(uri)?.[1] ?? ''
