/** PURE: what the API server is asked about somebody: may they grant a permission on an access namespace, may they serve a host. */
import type { Permission } from '../core/permission.ts'
import type { Person } from '../core/person.ts'

export const GROUP = 'keyward.dev'

/** `spec` of a SubjectAccessReview, authorization.k8s.io/v1. */
export type ReviewSpec = {
  readonly user: string
  readonly uid?: string
  readonly groups?: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
  readonly resourceAttributes: {
    readonly group: string
    readonly version: string
    readonly resource: string
    readonly subresource?: string
    readonly verb: string
    /** Absent: on all of them. */
    readonly name?: string
  }
}

export type Question =
  /** accessNamespace undefined: on every one of them. */
  | { readonly kind: 'grant'; readonly permission: Permission; readonly accessNamespace: string | undefined }
  | { readonly kind: 'serve'; readonly host: string | undefined }

export const questionKey = (question: Question): string =>
  question.kind === 'grant'
    ? `grant ${question.permission} ${question.accessNamespace ?? ''}`
    : `serve ${question.host ?? ''}`

/** Without a Kubernetes namespace: only what a ClusterRoleBinding gives counts, since access namespaces are of the cluster. */
export function reviewSpec({ username, uid, groups, extra }: Person, question: Question): ReviewSpec {
  return {
    user: username,
    ...(uid !== '' && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(Object.keys(extra).length > 0 && { extra }),
    resourceAttributes: { group: GROUP, version: 'v1alpha1', ...attributesOf(question) },
  }
}

function attributesOf(question: Question) {
  if (question.kind === 'serve') return { resource: 'hosts', verb: 'serve', ...named(question.host) }
  const { permission, accessNamespace } = question
  return { resource: 'accessnamespaces', subresource: 'permissions', verb: permission, ...named(accessNamespace) }
}

const named = (name: string | undefined) => (name === undefined ? {} : { name })
