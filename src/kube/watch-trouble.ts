/** In words, what keeps a resource from being followed, and what whoever runs the cluster can do about it. */
import { Trouble } from '../core/trouble.ts'
import { isForbidden, isNotFound } from './api-error.ts'
import type { Resource } from './objects.ts'

/** As `kubectl api-resources` knows it. */
export const resourceName = ({ group, plural }: Resource): string => (group === '' ? plural : `${plural}.${group}`)

const NOT_ACCEPTED = 'the API server does not accept the token or certificate that it is shown (401)'

/** Trouble that does not pass by itself. */
const TO_MEND = new Set(['kube_forbidden', 'kube_unauthorized', 'kube_no_such_kind', 'kube_not_found'])

/** The words for what somebody has to mend; undefined for what passes by itself, which is the same of every resource. */
export const toMend = (error: unknown, resource: Resource, namespace?: string): string | undefined =>
  error instanceof Trouble && TO_MEND.has(error.code) ? watchTrouble(error, resource, namespace) : undefined

/** @param namespace undefined: of the whole cluster */
export function watchTrouble(error: unknown, resource: Resource, namespace: string | undefined): string {
  const name = resourceName(resource)
  const where = namespace === undefined ? 'in the whole cluster' : `in the Kubernetes namespace ${namespace}`
  if (isForbidden(error)) return `the permission to list and watch ${name} ${where} is missing`
  if (!(error instanceof Trouble)) return `${name} can't be read`
  const { code, cause } = error
  if (code === 'kube_unauthorized') return NOT_ACCEPTED
  if (code === 'kube_no_such_kind') return `the API server knows no ${name}: the CRDs are missing`
  if (isNotFound(error) && resource.group !== '') return `the API server seems to know no ${name}: are the CRDs there?`
  return `${name} can't be read: ${code.replaceAll('_', ' ')}${cause instanceof Error ? ` (${cause.message})` : ''}`
}
