/** PURE: what becomes of the webhooks' certificates next. A new CA is announced long before anything is signed by it. */
import { X509Certificate } from 'node:crypto'
import { parseAddress } from '../core/address.ts'

/** PEM. */
export type Pair = { readonly cert: string; readonly key: string }

/** All that is kept, in one Secret. */
export type Material = {
  readonly serving: Pair
  /** Who signs serving certificates. */
  readonly authority: Pair
  /** To be announced, and signs nothing yet. */
  readonly next: Pair | undefined
  /** When callers had been told of `next`, in milliseconds since 1970; undefined: nobody knows that they were. */
  readonly announcedAt: number | undefined
  /** Signs nothing any more; callers that did not see the exchange still know it. */
  readonly previous: string | undefined
}

/**
 * start: everything anew; announce: another CA, known to callers from now on; promote: it signs; renew: another serving
 * certificate; forget: the CA before is not trusted any more.
 */
export type CertificateStep = 'start' | 'announce' | 'promote' | 'renew' | 'forget'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

export const AUTHORITY_LIFE_MS = 365 * DAY_MS
export const SERVING_LIFE_MS = 30 * DAY_MS
/** A certificate counts from a little before it was made, for callers whose clock is behind. */
export const BACKDATED_MS = 5 * MINUTE_MS
/** Between a CA that callers were told of and its first signature: every API server has it by then. */
const ANNOUNCED_MS = 10 * MINUTE_MS
/** How long a CA is still trusted once it signs no more: every replica serves the new certificate by then. */
const FORGOTTEN_AFTER_MS = DAY_MS
/** How far the clocks of replicas may differ, beyond the back-dating, until one replaces another's CA as made by a clock that ran ahead. */
const TOLERATED_MS = 5 * MINUTE_MS

/** undefined: all is well. */
export function certificateStep(
  material: Material | undefined,
  names: readonly string[],
  now: number,
): CertificateStep | undefined {
  if (material === undefined) return 'start'
  const [authority, serving] = [validity(material.authority.cert), validity(material.serving.cert)]
  const next = material.next === undefined ? undefined : validity(material.next.cert)
  if (authority === undefined || serving === undefined || authority.to <= now) return 'start'
  if (isEarly(material, now)) return 'start'
  if (material.next !== undefined && (next === undefined || next.to <= now)) return 'start'
  if (mayPromote(material, now)) return 'promote'
  if (next === undefined && isDue(authority, now)) return 'announce'
  if (serving.from > now || isDue(serving, now) || !fits(material, names)) return 'renew'
  const isOver = material.previous !== undefined && now >= serving.from + BACKDATED_MS + FORGOTTEN_AFTER_MS
  return isOver ? 'forget' : undefined
}

/** Whether its CA was made by a clock that ran ahead, or this one is behind. */
export const isEarly = ({ authority }: Material, now: number): boolean =>
  (validity(authority.cert)?.from ?? 0) > now + TOLERATED_MS

const mayPromote = ({ next, announcedAt }: Material, now: number): boolean =>
  next !== undefined && announcedAt !== undefined && now >= announcedAt + ANNOUNCED_MS

/** Whether it can be served, though something of it may be due. */
export const isSound = (material: Material, names: readonly string[], now: number): boolean =>
  certificateStep(material, names, now) !== 'start' && fits(material, names)

/** What callers trust: whoever signs now, did before, or will. */
export const bundleOf = ({ authority, next, previous }: Material): string =>
  [authority.cert, next?.cert, previous]
    .filter((cert) => cert !== undefined)
    .map((cert) => `${cert.trim()}\n`)
    .join('')

/** Milliseconds since 1970; undefined: not a certificate. */
export function validity(cert: string): { readonly from: number; readonly to: number } | undefined {
  const parsed = parsedCertificate(cert)
  return parsed && { from: Date.parse(parsed.validFrom), to: Date.parse(parsed.validTo) }
}

/** At two thirds of its life. */
const isDue = ({ from, to }: { readonly from: number; readonly to: number }, now: number): boolean =>
  now >= from + ((to - from) * 2) / 3

function fits({ serving, authority }: Material, names: readonly string[]): boolean {
  const [leaf, signer] = [parsedCertificate(serving.cert), parsedCertificate(authority.cert)]
  if (leaf === undefined || signer === undefined || !leaf.verify(signer.publicKey)) return false
  return names.every(
    (name) => (parseAddress(name) === undefined ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined,
  )
}

function parsedCertificate(cert: string): X509Certificate | undefined {
  try {
    return new X509Certificate(cert)
  } catch {
    return undefined
  }
}
