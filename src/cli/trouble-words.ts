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
    case 'kube_not_understood':
      return `what answers at ${server} is no API server: nothing of Kubernetes is in its answer; ${elsewhere('', isNamed)}`
    default:
      return `${code.replaceAll('_', ' ')}${why}`
  }
}

/** Answers that an API server itself gives without a Status: to somebody unknown, of what it does not have, and when it is busy. */
const BARE = new Set([401, 404, 408, 429])

/** A refusal that no API server gives so; undefined: it may well be one. */
export function strangerStop({ status }: { readonly status: number }, said: unknown, way: Way): Stop | undefined {
  const { message } = (said ?? {}) as { readonly message?: unknown }
  if ((typeof message === 'string' && message !== '') || status >= 500 || BARE.has(status)) return undefined
  const tls = status === 400 && way.server.startsWith('http:') ? ' The address of one with TLS begins with https' : ''
  return new Stop(
    `what answers at ${way.server} is no API server: it answered ${status}, and nothing of Kubernetes; ${elsewhere('', way.isNamed)}${tls}`,
  )
}

function elsewhere(detail: string, isNamed: boolean): string {
  if (!isNamed) return 'is it the right --context or --kubeconfig?'
  return UNTRUSTED.test(detail)
    ? 'its certificate is not trusted; --certificate-authority names the file with its CA'
    : 'is it the right --server?'
}
