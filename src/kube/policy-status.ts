/** PURE: what is said of AccessNamespaces, ProtectedApis and TokenIssuers, by the order and the rules that authz decides by. */
import { type Condition, conditionsOf, type Finding } from '../core/condition.ts'
import { allotHosts } from '../core/host.ts'
import type { AccessNamespace, NamespaceProblem } from '../core/namespace.ts'
import type { EnvironmentSpec } from '../core/route.ts'
import { missingIssuers } from '../resources/api-remarks.ts'
import { hostClaims, hostProblems } from '../resources/host-claims.ts'
import type { Reported } from '../resources/key-status.ts'
import type { FieldProblem } from '../resources/problem.ts'
import { sameJson } from '../resources/same-json.ts'
import type { Served } from '../resources/served-by.ts'
import type { WithinRoute } from '../resources/within-routes.ts'
import type { Held } from './holders.ts'
import type { Read } from './policy.ts'
import { hostsHeld, lastReadable, placesIn, valuesOf } from './policy-in-force.ts'
import { inOneLine } from './set-aside.ts'

/** One of these objects, as far as anything is said of it. */
export type Seen<T> = {
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  readonly createdAt: string
  readonly read: Read<T>
  readonly reported: Reported
}

/** A ProtectedApi, without its routes but for what they reach. */
export type SeenApi = {
  readonly name: string
  readonly environments: readonly EnvironmentSpec[]
  /** TokenIssuers that it names. */
  readonly issuers: readonly string[]
  /** What it does not do as it seems to. */
  readonly remarks: readonly FieldProblem[]
  /** Which adapters can serve which of its routes. */
  readonly adapters: readonly Served[]
  /** How its routes reach what is inside a key's access namespace. */
  readonly within: readonly WithinRoute[]
}

type All<T> = Iterable<readonly [string, Seen<T>]>

export type Policy = {
  readonly namespaces: All<AccessNamespace>
  readonly apis: All<SeenApi>
  readonly issuers: All<true>
}

export type PolicyKind = 'AccessNamespace' | 'ProtectedApi' | 'TokenIssuer'

export type PolicyStatus = {
  readonly hosts?: readonly { readonly host: string; readonly uid: string; readonly holder: string }[] | undefined
  readonly hostsSummary?: string | undefined
  readonly adapters?: readonly Served[] | undefined
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
}

/** A status that is not what it should be. */
export type Due = {
  readonly kind: PolicyKind
  readonly key: string
  readonly seen: Seen<unknown>
  readonly status: PolicyStatus
}

type Said = { readonly findings: readonly Finding[] } & Pick<PolicyStatus, 'hosts' | 'hostsSummary' | 'adapters'>

export type PolicyStatuses = {
  /** To be told of every change: what could be read once goes on, as it does in authz. */
  readonly remember: (kind: PolicyKind, key: string, now: Seen<unknown> | undefined) => void
  /** One pass over everything. */
  readonly due: (policy: Policy, nowMs: number) => readonly Due[]
}

export function makePolicyStatuses(): PolicyStatuses {
  const namespaces = lastReadable<AccessNamespace>()
  const apis = lastReadable<SeenApi>()
  let [hosts, ids]: [Held, Held] = [new Map(), new Map()]
  return {
    remember: (kind, key, now) => {
      if (kind === 'AccessNamespace') namespaces.remember(key, now as Seen<AccessNamespace> | undefined)
      if (kind === 'ProtectedApi') apis.remember(key, now as Seen<SeenApi> | undefined)
    },
    due: (policy, nowMs) => {
      const [allNamespaces, allApis] = [new Map(policy.namespaces), new Map(policy.apis)]
      const issuers = new Map(policy.issuers)
      const placed = placesIn(ids, namespaces.inOrder(allNamespaces))
      ids = placed.held
      const ordered = apis.inOrder(allApis)
      hosts = hostsHeld(hosts, ordered)
      return [
        ...dueAmong('AccessNamespace', saidOfNamespaces(allNamespaces, placed.misfits), nowMs),
        ...dueAmong('ProtectedApi', saidOfApis(allApis, valuesOf(ordered), { held: hosts, issuers }), nowMs),
        ...dueAmong('TokenIssuer', saidOfIssuers(issuers), nowMs),
      ]
    },
  }
}

type SaidOf = Iterable<readonly [key: string, seen: Seen<unknown>, said: Said]>

function dueAmong(kind: PolicyKind, all: SaidOf, nowMs: number): Due[] {
  const due: Due[] = []
  for (const [key, seen, { findings, ...more }] of all) {
    const { generation, reported } = seen
    const conditions = conditionsOf(findings, reported.conditions, { generation, nowMs })
    const status = { ...more, observedGeneration: generation, conditions }
    if (!sameJson(reported.whole, status)) due.push({ kind, key, seen, status })
  }
  return due
}

const accepted = (message: string, reason = 'Accepted'): Finding => ({
  type: 'Accepted',
  status: 'True',
  reason,
  message,
})
const refused = (reason: string, message: string): Finding => ({
  type: 'Accepted',
  status: 'False',
  reason,
  message: bounded(message),
})

/** The same whether we could read it before or not: a new start has forgotten. */
const unreadable = ({ reason, problem }: Extract<Read<unknown>, { kind: 'unreadable' }>): Said => ({
  findings: [refused(reason, `${problem}; until then it goes on as it could be read last, if ever`)],
})

function* saidOfNamespaces(all: All<AccessNamespace>, misfits: readonly NamespaceProblem[]): SaidOf {
  const byName = new Map(misfits.map((problem) => [problem.name, problem]))
  for (const [key, seen] of all) {
    const problem = byName.get(key)
    if (seen.read.kind === 'unreadable') yield [key, seen, unreadable(seen.read)]
    else if (problem === undefined) yield [key, seen, IN_TREE]
    else yield [key, seen, { findings: [refused(problem.reason, `spec.${problem.field}: ${problem.problem}`)] }]
  }
}

const IN_TREE: Said = { findings: [accepted('it has its place in the tree')] }

type Beside = {
  /** Whose each host is. */
  readonly held: Held
  readonly issuers: ReadonlyMap<string, unknown>
}

/** @param inForce in the order of who came first */
function* saidOfApis(all: All<SeenApi>, inForce: readonly SeenApi[], { held, issuers }: Beside): SaidOf {
  const taken = hostProblems(inForce, allotHosts(inForce, held).conflicts)
  for (const [key, seen] of all) {
    if (seen.read.kind === 'unreadable') {
      yield [key, seen, unreadable(seen.read)]
      continue
    }
    const api = seen.read.value
    const hosts = hostClaims(api).map(({ host }) => {
      const { uid, name } = held.get(host) ?? { uid: seen.uid, name: key }
      return { host, uid, holder: name }
    })
    const own = hosts.filter(({ uid }) => uid === seen.uid).map(({ host }) => host)
    const missing = missingIssuers(api.issuers, (issuer) => issuers.has(issuer))
    const findings = apiFindings({ taken: taken.get(key), own, remarks: [...missing, ...api.remarks] })
    yield [key, seen, { findings, hosts, hostsSummary: hostsSummary(own, hosts.length), adapters: api.adapters }]
  }
}

type OfApi = {
  readonly taken: readonly FieldProblem[] | undefined
  /** The hosts that it has. */
  readonly own: readonly string[]
  readonly remarks: readonly FieldProblem[]
}

function apiFindings({ taken, own, remarks }: OfApi): readonly Finding[] {
  if (taken !== undefined) {
    const rest = own.length === 0 ? 'it has no other host' : `it is in force on its other hosts (${own.length})`
    const message = bounded(`${few(taken)}; ${rest}`)
    return [refused('HostConflict', message), { type: 'HostConflict', status: 'True', reason: 'HostTaken', message }]
  }
  if (remarks.length > 0) return [accepted(bounded(`it is in force; ${few(remarks)}`), 'AcceptedWithWarnings')]
  return [accepted('it is in force')]
}

function* saidOfIssuers(all: All<true>): SaidOf {
  for (const [key, seen] of all) {
    yield [key, seen, seen.read.kind === 'unreadable' ? unreadable(seen.read) : ISSUER]
  }
}

const ISSUER: Said = {
  findings: [accepted('it is in order; access tokens are not verified yet, so none is accepted')],
}

/** So many problems are named one by one. */
const NAMED_AT_MOST = 8

function few(problems: readonly FieldProblem[]): string {
  const more = problems.length - NAMED_AT_MOST
  return `${inOneLine(problems.slice(0, NAMED_AT_MOST))}${more > 0 ? `; so it is with ${more} more` : ''}`
}

/** A status is read in a terminal, and there may be many of them. */
const MESSAGE_AT_MOST = 2000

const bounded = (text: string): string =>
  text.length <= MESSAGE_AT_MOST ? text : `${text.slice(0, MESSAGE_AT_MOST).replace(/[\uD800-\uDBFF]$/, '')}…`

/** A column of a table: three long names fill a line. */
const SUMMARY_AT_MOST = 100

/** `a.example.com, b.example.com and 3 more (5 of 6)`; the count only where one belongs to another. */
function hostsSummary(own: readonly string[], named: number): string {
  let [text = 'none', ...rest] = own
  while (rest[0] !== undefined && text.length + rest[0].length + 2 <= SUMMARY_AT_MOST) text += `, ${rest.shift()}`
  const more = rest.length > 0 ? ` and ${rest.length} more` : ''
  return `${text}${more}${own.length === named ? '' : ` (${own.length} of ${named})`}`
}
