/** PURE: kubectl's own flags, as all commands share them: who asks which API server, about what, and for how long. */

import type { Parsed } from '../core/parsed.ts'

/** As commander reads them. */
export type ClusterFlags = {
  readonly kubeconfig?: string
  readonly context?: string
  readonly server?: string
  readonly tokenFile?: string
  readonly certificateAuthority?: string
  readonly as?: string
  readonly asGroup?: readonly string[]
  readonly namespace?: string
  readonly requestTimeout?: string
}

/** How a cluster is to be opened. */
export type Opening = {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  /** Instead of a kubeconfig; with a token in a file, which no other process sees as it would an argument. */
  readonly server: string | undefined
  readonly tokenFile: string | undefined
  /** File with the CA of that server; undefined: those that Node trusts. */
  readonly certificateAuthority: string | undefined
  readonly as: string | undefined
  readonly asGroups: readonly string[]
  /** Of a single request. */
  readonly requestTimeoutMs: number
}

const TIMEOUT_MS = 10_000
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
/** Nobody's name and password: they would stand in messages. */
const SERVER = /^https?:\/\/[^\s/@?#]+\/?$/
/** What may stand in a header. */
const HEADER = /^[\x20-\x7e]{1,1024}$/

export const isNamespaceName = (text: string): boolean => NAMESPACE.test(text)

export function openingOf(flags: ClusterFlags): Parsed<Opening> {
  const { kubeconfig, context, server, tokenFile, certificateAuthority } = flags
  const { as, asGroup: asGroups = [], requestTimeout } = flags
  const requestTimeoutMs = requestTimeout === undefined ? TIMEOUT_MS : limitOf(requestTimeout)
  const problems = [...wrongPlaces(flags), ...wrongPeople(as, asGroups)]
  if (requestTimeoutMs === undefined) {
    problems.push(`--request-timeout: ${JSON.stringify(requestTimeout)} is not a time such as 30s, or 0 for no limit`)
  }
  return problems.length > 0 || requestTimeoutMs === undefined
    ? { ok: false, problem: problems.join('\n') }
    : {
        ok: true,
        value: { kubeconfig, context, server, tokenFile, certificateAuthority, as, asGroups, requestTimeoutMs },
      }
}

function wrongPlaces(flags: ClusterFlags): string[] {
  const { kubeconfig, context, server, tokenFile, certificateAuthority, namespace } = flags
  const problems: string[] = []
  if (kubeconfig === '') problems.push('--kubeconfig: the path of a file is needed')
  if (context === '') problems.push('--context: the name of a context is needed')
  if (server !== undefined && !SERVER.test(server))
    problems.push('--server: an http or https URL without user and path is needed, such as https://10.0.0.1:6443')
  if (server === undefined && tokenFile !== undefined) problems.push('--token-file: goes with --server only')
  if (server === undefined && certificateAuthority !== undefined)
    problems.push('--certificate-authority: goes with --server only')
  if (server !== undefined && (kubeconfig ?? context) !== undefined)
    problems.push('--server: or --kubeconfig and --context: one of them')
  if (namespace !== undefined && !isNamespaceName(namespace))
    problems.push(`--namespace: ${JSON.stringify(namespace)} is no name of a Kubernetes namespace`)
  return problems
}

function wrongPeople(as: string | undefined, asGroups: readonly string[]): string[] {
  const problems: string[] = []
  if (as === undefined && asGroups.length > 0) problems.push('--as-group: goes with --as only')
  if (as !== undefined && !HEADER.test(as)) problems.push('--as: a user name is needed, in ASCII')
  if (!asGroups.every((group) => HEADER.test(group)))
    problems.push('--as-group: the name of a group is needed, in ASCII')
  return problems
}

/** The longest time that a timer of Node has, three weeks and a half: nobody waits that long for one answer. */
const NO_LIMIT_MS = 2 ** 31 - 1

/** As kubectl has it: 0 is no limit. */
function limitOf(text: string): number | undefined {
  const ms = timeOf(text)
  return ms === 0 ? NO_LIMIT_MS : ms && Math.min(Math.ceil(ms), NO_LIMIT_MS)
}

const SECONDS = /^[0-9]{1,9}$/
/** A duration as Go writes it; days are ours. */
const DURATION = /^(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|μs|ms|s|m|h|d))+$/
const PARTS = /([0-9.]+)([a-zµμ]+)/g
const UNIT_MS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1 },
  ...{ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 },
}

/** Milliseconds of `500ms`, `1m30s`, or of whole seconds; undefined: neither. */
export function timeOf(text: string): number | undefined {
  if (SECONDS.test(text)) return Number(text) * 1000
  if (text.length > LONGEST_TIME || !DURATION.test(text)) return undefined
  return [...text.matchAll(PARTS)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (UNIT_MS[unit] ?? 0),
    0,
  )
}

const LONGEST_TIME = 40
