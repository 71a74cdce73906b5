/** The ways in which a request reaches the check, and what each of them can do for it beyond letting it pass. */
import type { Ability } from './request.ts'

/** ReverseProxy: Keyward's own. EnvoyGRPC: ext_authz over gRPC. HTTPCheck: every proxy that asks the HTTP check. */
export const ADAPTERS = {
  // every name is ours to remove, the target is ours to change, and the response passes through us
  ReverseProxy: { removal: true, query: true, filter: true },
  // Envoy removes any header and replaces the path on our word; it can not cut a response
  EnvoyGRPC: { removal: true, query: true, filter: false },
  // none of these proxies can change the query or the response on our word, or drop a name that it was not configured with
  HTTPCheck: { removal: false, query: false, filter: false },
} as const satisfies Record<string, Ability>

export type Adapter = keyof typeof ADAPTERS
