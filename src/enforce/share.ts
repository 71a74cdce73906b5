/** PURE. One replica's share of a limit while the shared limits are out of reach: all shares together are the limit. */
import type { RateLimit } from '../core/limit.ts'

/**
 * Which one of how many a replica is, from 0; for a tiny limit it decides who serves. undefined: not known, then each serves
 * one request at least, since ranks that are drawn meet: nobody would serve some keys, and all would serve others.
 */
export type Place = { readonly replicas: number; readonly rank: number | undefined }

/** What all replicas together may grant beyond what they know to be there: a quarter of the limit. */
const UNKNOWN_PART = 4

/** The most that is granted of a limit whose state nobody knows, by all together: of a quota, in all outages of its window. */
export const unknownRequests = ({ requests }: { readonly requests: number }): number => requests / UNKNOWN_PART

/** So far from whole a bucket must be before it is worth remembering: whoever forgets less grants a quarter at most. */
export const worthKnowingUs = ({ perUs }: RateLimit): number => perUs / UNKNOWN_PART

/**
 * A burst of two can't be divided by four: then only as many replicas serve as there is something for, each with one request
 * at once. A quarter of the limit may be rounded up for, so that few are turned away by a replica that has nothing.
 */
function sharers({ requests, burst }: RateLimit, { replicas, rank }: Place): number {
  if (rank === undefined) return replicas
  return Math.max(1, Math.min(replicas, burst + Math.floor(requests / UNKNOWN_PART)))
}

/** The rate divided by those who serve, the burst too, its remainder to the first; burst 0: this replica does not serve it. */
export function shareOfRate(rate: RateLimit, place: Place): RateLimit {
  const among = sharers(rate, place)
  const burst = (place.rank ?? 0) < among ? Math.max(1, part(rate.burst, among, place.rank)) : 0
  return { ...rate, perUs: rate.perUs * among, burst }
}

/** How far from whole a share begins, where `available` requests may be granted by all shares together. */
export function startUs(rate: RateLimit, place: Place, available: number): number {
  const share = shareOfRate(rate, place)
  const among = sharers(rate, place)
  // the first has its next request earlier than the last, so that they don't all round the same way
  const own = fraction(Math.max(0, Math.min(available, rate.burst)), among, place.rank)
  return Math.ceil((Math.max(0, share.burst - own) * share.perUs) / share.requests)
}

/** Of so many requests of a quota, those that this replica may grant. */
export const shareOfQuota = (requests: number, { replicas, rank }: Place): number =>
  part(Math.floor(Math.max(0, requests)), replicas, rank)

/** Whole numbers that add up to the whole; where the rank is not known, to no more than it, or one each. */
const part = (whole: number, among: number, rank: number | undefined): number =>
  Math.floor(fraction(whole, among, rank))

const fraction = (whole: number, among: number, rank: number | undefined): number =>
  rank === undefined ? Math.min(whole, Math.max(1, whole / among)) : (whole + among - 1 - rank) / among

/** Turns a replica's place for one bucket, so that it is not always the same one that has nothing. */
export function placeFor(bucket: string, { replicas, rank }: Place): Place {
  if (rank === undefined) return { replicas, rank }
  let hash = 0x811c9dc5
  for (let i = 0; i < bucket.length; i++) hash = Math.imul(hash ^ bucket.charCodeAt(i), 0x01000193)
  return { replicas, rank: (rank + (hash >>> 0)) % replicas }
}
