/**
 * PURE: what a cluster has beside our kinds and clients ask for. Standalone has no users and no namespaces of its own: a
 * namespace is a name that objects bear, and whoever has the token may do everything.
 */
import { isObject } from '../../resources/problem.ts'
import { badRequest } from './refusal.ts'

const NAMESPACES = '/api/v1/namespaces'
const REVIEWS = '/apis/authorization.k8s.io/v1'
const EVENTS = /^\/api\/v1\/(namespaces\/[^/]+\/)?events$/

export const CORE_RESOURCES = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'v1',
  resources: [
    {
      name: 'namespaces',
      singularName: 'namespace',
      namespaced: false,
      kind: 'Namespace',
      verbs: ['get', 'list'],
      shortNames: ['ns'],
    },
  ],
} as const

export type BesideParts = {
  /** Those that objects bear. */
  readonly namespaces: () => Iterable<string>
  readonly version: () => number
}

/** undefined: there is nothing under this path. */
export function readBeside(path: string, { namespaces, version }: BesideParts): object | undefined {
  const metadata = { resourceVersion: String(version()) }
  const namespaceOf = (name: string) => ({ metadata: { name, uid: name, ...metadata }, status: { phase: 'Active' } })
  if (EVENTS.test(path)) return { kind: 'EventList', apiVersion: 'v1', metadata, items: [] }
  if (path === NAMESPACES) {
    const items = [...new Set(['default', ...namespaces()])].sort().map(namespaceOf)
    return { kind: 'NamespaceList', apiVersion: 'v1', metadata, items }
  }
  const [, name] = /^\/api\/v1\/namespaces\/([a-z0-9]([-a-z0-9]*[a-z0-9])?)$/.exec(path) ?? []
  return name === undefined ? undefined : { kind: 'Namespace', apiVersion: 'v1', ...namespaceOf(name) }
}

const ALL = ['*']

const ANSWERS: Readonly<Record<string, object | undefined>> = {
  SelfSubjectAccessReview: { allowed: true, reason: 'who has the token of standalone may do everything' },
  SelfSubjectRulesReview: {
    resourceRules: [{ verbs: ALL, apiGroups: ALL, resources: ALL }],
    nonResourceRules: [],
    incomplete: false,
  },
}

/** Whether a path leads to questions about what the caller may do. */
export const isReview = (path: string): boolean =>
  path === `${REVIEWS}/selfsubjectaccessreviews` || path === `${REVIEWS}/selfsubjectrulesreviews`

export function reviewed(body: unknown): object {
  const status = isObject(body) ? ANSWERS[String(body.kind)] : undefined
  if (status === undefined) throw badRequest('the body is no review of what the caller may do')
  return { ...(body as object), status }
}
