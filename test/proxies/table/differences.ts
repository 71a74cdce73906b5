/**
 * Everything that differs between the proxies, one entry each: what it gives instead, and why. Whatever is not here is the
 * same at all of them. Each key stands in the page of its proxy in docs/integrations/ as well.
 */
import type { FrontName } from '../fronts/front.ts'
import { allowed, type Case, denied, type Outcome, refused } from './case.ts'

/** Differences of every answer, not of single cases. */
export type Quirk =
  | 'empty headers are absent'
  | 'request IDs are drawn by the proxy'
  | 'a refused HEAD has no content type'
  | 'callers learn nothing of the check that let them in'

export type Difference = {
  /** As the pages call it. */
  readonly key: string
  readonly fronts: readonly FrontName[]
  readonly why: string
} & (
  | { readonly quirk: Quirk }
  /** Each case by its whole name. */
  | { readonly cases: readonly string[]; readonly gives: Outcome }
)

const OVER_HTTP: readonly FrontName[] = [
  'asked-as-envoy',
  'asked-as-nginx',
  'traefik',
  'envoy-http',
  'nginx',
  'caddy',
  'haproxy',
]

export const DIFFERENCES: readonly Difference[] = [
  {
    key: 'no-filtered-lists',
    fronts: [...OVER_HTTP, 'envoy-grpc'],
    why: 'A check can not change the response of the upstream, so a list that has to be cut is refused.',
    cases: ['a list that is cut in the response', 'HEAD of a list that is cut in the response'],
    gives: denied('narrowing_unavailable'),
  },
  {
    key: 'no-narrowed-queries',
    fronts: OVER_HTTP,
    why: 'The answer to an HTTP check can not change the query that goes on, so a list that has to be asked for by ids is refused.',
    cases: [
      'a list that is asked for by ids',
      'a list that is asked for by ids, with a query',
      'a list that is asked for by ids, of which the caller wants one',
      'a list that is asked for by ids, of which the caller wants one in other letters',
      'a list that is asked for by ids, of which the caller wants one, encoded',
      'a list that is asked for by ids, of which the caller wants others',
      'a list that is asked for by ids, and the caller asks twice',
    ],
    gives: denied('narrowing_unavailable'),
  },
  {
    key: 'empty-headers',
    fronts: ['nginx'],
    why: 'nginx sends no header without a value. The caller’s own under that name is removed all the same.',
    quirk: 'empty headers are absent',
  },
  {
    key: 'unknown-names',
    fronts: ['asked-as-envoy', 'asked-as-nginx', 'nginx', 'traefik'],
    why: 'A proxy that can only replace the names that it was told would let another x-keyward-* through: refused instead of removed.',
    cases: ['a name of Keyward’s that it does not set'],
    gives: denied('ambiguous_request'),
  },
  {
    key: 'own-request-ids',
    fronts: ['envoy-grpc', 'envoy-http', 'nginx', 'caddy', 'haproxy'],
    why: 'The shipped configuration is for the edge: the proxy draws the request ID, and its caller has no say in it.',
    quirk: 'request IDs are drawn by the proxy',
  },
  {
    key: 'head-without-type',
    fronts: ['envoy-http'],
    why: 'The check is asked by HEAD too, so its answer has no body, and Envoy drops the content-type of what has none, but of a 503.',
    quirk: 'a refused HEAD has no content type',
  },
  {
    key: 'no-limit-headers',
    fronts: ['traefik'],
    why: 'forwardAuth hands nothing of an allowing answer to the caller: no RateLimit, no X-Request-Id.',
    quirk: 'callers learn nothing of the check that let them in',
  },
  {
    key: 'connection-lists',
    fronts: ['nginx', 'caddy', 'haproxy', 'traefik'],
    why: 'Headers that a caller names in Connection are not dropped: nothing of Keyward’s can be dropped by naming it.',
    cases: ['a header that Connection names does not arrive'],
    gives: allowed('good', { upstream: { 'x-of-this-hop': 'yes' } }),
  },
  {
    key: 'connection-lists',
    fronts: ['nginx', 'caddy', 'haproxy'],
    why: 'The same for a credential: it is looked at.',
    cases: ['a credential that Connection names is none'],
    gives: allowed('good'),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['keyward', 'asked-as-envoy'],
    why: 'What is no well-formed HTTP/1.1 is refused where it is read, before there is anything to be decided.',
    cases: ['a method of nobody', 'an ambiguous path: eight bits as they are'],
    gives: refused(400),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['nginx'],
    why: 'nginx refuses these itself, before it asks, with a page of its own.',
    cases: [
      'two Host headers',
      'an empty host',
      'two Authorization headers',
      'TRACE',
      'an ambiguous path: a percent sign alone',
      'an ambiguous path: a NUL that is encoded',
    ],
    gives: refused(400, 405),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['caddy'],
    why: 'Caddy refuses these itself, before it asks, with a page of its own.',
    cases: ['two Host headers', 'a host with a user in front', 'an ambiguous path: a percent sign alone'],
    gives: refused(400),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['traefik'],
    why: 'Traefik refuses a second Host itself, as every server on the net/http of Go does.',
    cases: ['two Host headers'],
    gives: refused(400),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['envoy-grpc', 'envoy-http'],
    why: 'Envoy refuses what it does not take for HTTP/1.1, before it asks.',
    cases: ['an ambiguous path: a fragment', 'an ambiguous path: eight bits as they are', 'a method of nobody'],
    gives: refused(400),
  },
  {
    key: 'refused-by-the-proxy',
    fronts: ['haproxy'],
    why: 'HAProxy refuses these itself, before it asks, with a page of its own.',
    cases: [
      'two Host headers',
      'an ambiguous path: a fragment',
      'an ambiguous path: eight bits as they are',
      'an ambiguous path: another site as the target',
    ],
    gives: refused(400),
  },
  {
    key: 'absolute-targets',
    fronts: ['envoy-grpc', 'envoy-http'],
    why: 'Envoy reads the host from a target in absolute form, as RFC 9112 §3.2.2 has it, and asks about that host.',
    cases: ['an ambiguous path: another site as the target'],
    gives: denied('unknown_host'),
  },
  {
    key: 'absolute-targets',
    fronts: ['nginx'],
    why: 'nginx makes the path of a target in absolute form; Host says what is decided, and Host and path are what arrives.',
    cases: ['an ambiguous path: another site as the target'],
    gives: allowed('good', { target: '/v1/things' }),
  },
]

/** What a case has to give behind a front. */
export function expectedOf(one: Case, front: FrontName): Outcome {
  const own = DIFFERENCES.find((difference) => applies(difference, one, front))
  return own !== undefined && 'gives' in own ? own.gives : one.expected
}

const applies = (difference: Difference, { name }: Case, front: FrontName): boolean =>
  'cases' in difference && difference.fronts.includes(front) && difference.cases.includes(name)

export const quirksOf = (front: FrontName): ReadonlySet<Quirk> =>
  new Set(DIFFERENCES.flatMap((one) => ('quirk' in one && one.fronts.includes(front) ? [one.quirk] : [])))
