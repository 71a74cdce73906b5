/** What goes to the script and what comes back: the name of a bucket, limits as arguments, a reply as what was spent. */
import { hash } from 'node:crypto'
import type { Left, Limit, LimitCode, Spent } from '../core/limit.ts'
import { Trouble } from '../core/trouble.ts'

/** Nothing in it can end a hash tag, or read as two arguments. */
const PLAIN = /^kw_(prod|stag|dev)_[0-9A-Za-z]{12}$/

/**
 * The one key in Redis of a bucket. In braces, so that a Cluster keeps all that belongs to it on one node; a name that
 * is no key ID is hashed, so that no name can reach another's bucket.
 */
export const bucketKey = (prefix: string, bucket: string): string =>
  `${prefix}{${PLAIN.test(bucket) ? bucket : `#${hash('sha256', bucket).slice(0, 32)}`}}`

const argumentsByLimits = new WeakMap<readonly Limit[], readonly string[]>()

/** A key has one rate and one quota at most; its limits are one array for as long as they stay the same. */
export function limitArguments(limits: readonly Limit[]): readonly string[] {
  const known = argumentsByLimits.get(limits)
  if (known !== undefined) return known
  const rate = limits.find((limit) => limit.kind === 'rate')
  const quota = limits.find((limit) => limit.kind === 'quota')
  const made = [
    ...(rate === undefined ? ['0', '0', '0'] : [rate.requests, rate.perUs, rate.burst].map(String)),
    ...(quota === undefined ? ['0', 'day'] : [String(quota.requests), quota.period]),
  ]
  argumentsByLimits.set(limits, made)
  return made
}

/** Requests that were granted and not used. All moments are by Redis' time. */
export type Returned = {
  readonly count: number
  /** Until when the bucket can't have been whole since they were granted: what would be back by itself is not given twice. */
  readonly sureUntilUs: number
  /** The end of the window whose quota they were counted against; 0: none. */
  readonly windowEndsUs: number
  readonly takenUs: number
}

export const returnArguments = (back: Returned | undefined): readonly string[] =>
  back === undefined ? [] : [back.count, back.sureUntilUs, back.windowEndsUs, back.takenUs].map(String)

/** What the script answered. */
export type Reply = {
  readonly granted: number
  /** What lay under the key was none of ours and has been replaced. */
  readonly garbage: boolean
  readonly code: LimitCode | undefined
  readonly retryUs: number
  /** Redis' own time. */
  readonly nowUs: number
  readonly left: readonly Left[]
}

const FIELDS = 9

/** Nothing that a broken or foreign server may answer becomes a yes. */
export function readReply(raw: unknown, limits: readonly Limit[]): Reply {
  if (!isReply(raw)) throw new Trouble('redis_reply_unreadable', 'retry')
  const [granted = 0, garbage = 0, nowUs = 0] = raw
  let [code, retryUs]: [LimitCode | undefined, number] = [undefined, 0]
  const left = limits.map((limit) => {
    const one = leftOf(limit, raw)
    if (one.waitUs === 0) return one.left
    // as the core has it: the first gives the code and the longest the wait
    code ??= limit.kind === 'rate' ? 'rate_limited' : 'quota_exhausted'
    retryUs = Math.max(retryUs, one.waitUs)
    return { limit, remaining: 0, resetUs: one.waitUs }
  })
  return { granted, garbage: garbage === 1, code, retryUs, nowUs, left }
}

const isReply = (raw: unknown): raw is readonly number[] =>
  Array.isArray(raw) && raw.length === FIELDS && raw.every(Number.isSafeInteger)

function leftOf(limit: Limit, raw: readonly number[]): { readonly left: Left; readonly waitUs: number } {
  const [, , , remaining = 0, resetUs = 0, waitUs = 0, quotaLeft = 0, windowUs = 0, refused = 0] = raw
  if (limit.kind === 'rate') return { left: { limit, remaining, resetUs }, waitUs }
  return { left: { limit, remaining: quotaLeft, resetUs: windowUs }, waitUs: refused === 1 ? windowUs : 0 }
}

export function spentOf({ granted, code, retryUs, left }: Reply): Spent {
  if (granted > 0) return { ok: true, left }
  if (code === undefined) throw new Trouble('redis_reply_unreadable', 'retry')
  return { ok: false, code, retryUs, left }
}
