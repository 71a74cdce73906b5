/** PURE: trouble on the way to an API server, in words that name the flags that lead elsewhere. */
import type { Trouble } from '../core/trouble.ts'
import { Stop, Unreachable } from './refused.ts'

export type Way = {
  readonly server: string
  /** By --server, and not by a kubeconfig. */
  readonly isNamed: boolean
}

const PASSING = new Set(['kube_unreachable', 'kube_timeout'])

export const stopOf = (trouble: Trouble, way: Way): Stop =>
  new (PASSING.has(trouble.code) ? Unreachable : Stop)(troubleWords(trouble, way))

/** The certificate is another's, or nobody's that we know. */
const UNTRUSTED = /CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE/

function troubleWords({ code, cause }: Trouble, { server, isNamed }: Way): string {
  const detail = cause instanceof Error ? cause.message : ''
  const why = detail === '' ? '' : ` (${detail})`
  switch (code) {
    case 'kube_unreachable':
      return `the API server ${server} can't be reached${why}: ${elsewhere(detail, isNamed)}`
    case 'kube_timeout':
      return `the API server ${server} did not answer in time; --request-timeout waits longer`
    case 'kube_credentials_unavailable':
      return 'the kubeconfig gives no credentials: its plugin may have failed; try kubectl get namespaces'
    default:
      return `${code.replaceAll('_', ' ')}${why}`
  }
}

function elsewhere(detail: string, isNamed: boolean): string {
  if (!isNamed) return 'is it the right --context or --kubeconfig?'
  return UNTRUSTED.test(detail)
    ? 'its certificate is not trusted; --certificate-authority names the file with its CA'
    : 'is it the right --server?'
}
