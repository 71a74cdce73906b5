/** What a refused caller reads, word by word, and what else its answer says. */

type Words = { readonly status: number; readonly title: string; readonly detail: string }

/** Every code of the published decision table. */
export const PROBLEMS = {
  ambiguous_path: {
    status: 400,
    title: 'Ambiguous path',
    detail:
      'The path is not in its one canonical form: no dot segments, empty segments, path parameters or needless encoding.',
  },
  ambiguous_request: {
    status: 400,
    title: 'Ambiguous request',
    detail: 'Two servers could read this request differently, or it is of a form that is not answered here.',
  },
  unknown_host: { status: 403, title: 'Unknown host', detail: 'No protected API is served under this host.' },
  missing_credential: {
    status: 401,
    title: 'A credential is required',
    detail: 'Send an API key as "Authorization: Bearer <key>" or "X-API-Key: <key>".',
  },
  ambiguous_credential: {
    status: 400,
    title: 'More than one credential',
    detail: 'Send one credential, in one place: Authorization or X-API-Key.',
  },
  invalid_key: { status: 401, title: 'Invalid API key', detail: 'This API key is not known.' },
  invalid_token: { status: 401, title: 'Invalid access token', detail: 'This access token is not accepted.' },
  key_inactive: { status: 401, title: 'API key not active', detail: 'This API key is suspended or revoked.' },
  key_expired: { status: 401, title: 'API key expired', detail: 'This API key has passed its expiry date.' },
  wrong_environment: {
    status: 401,
    title: 'API key of another environment',
    detail: 'This API key is made for another environment than this endpoint.',
  },
  address_not_allowed: {
    status: 403,
    title: 'Address not allowed',
    detail: 'This API key may not be used from this address.',
  },
  no_route: { status: 403, title: 'No such route', detail: 'The API declares no route for this method and path.' },
  missing_permission: {
    status: 403,
    title: 'Permission missing',
    detail: 'This API key does not have the permission that this endpoint requires.',
  },
  creator_access_lost: {
    status: 403,
    title: 'Permission no longer in force',
    detail: 'This API key has the permission, but whoever made or received it no longer does.',
  },
  outside_namespace: {
    status: 403,
    title: 'Outside the namespace of this key',
    detail: 'The resource lies outside the access namespace of this API key.',
  },
  outside_customer: {
    status: 403,
    title: 'Outside the customers of this key',
    detail: 'This API key is limited to other customers.',
  },
  narrowing_unavailable: {
    status: 403,
    title: 'List not narrowed here',
    detail: "This list must be cut down to what the key may see, which this gateway can't do for it.",
  },
  rate_limited: { status: 429, title: 'Too many requests', detail: 'The rate limit of this API key is used up.' },
  quota_exhausted: { status: 429, title: 'Quota used up', detail: 'The quota of this API key is used up.' },
  unavailable: { status: 503, title: 'Not available', detail: "The check can't be answered at the moment." },
} as const satisfies Record<string, Words>

export type ProblemCode = keyof typeof PROBLEMS

/** The body of a refusal, but for the request ID. */
export function problem(code: ProblemCode, permission: string | undefined): Readonly<Record<string, unknown>> {
  const { status, title, detail } = PROBLEMS[code]
  const plain = { type: 'about:blank', title, status, detail, code }
  return permission === undefined ? plain : { ...plain, detail: `${detail.slice(0, -1)}: ${permission}.`, permission }
}

/** RFC 6750 §3: an error is named only where a credential was sent. */
export function challenge(code: ProblemCode): string | undefined {
  if (PROBLEMS[code].status !== 401) return undefined
  return code === 'missing_credential' ? 'Bearer realm="keyward"' : 'Bearer realm="keyward", error="invalid_token"'
}
