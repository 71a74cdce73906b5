/** PURE: an edited ApiKey as far as the edit takes away; what it gives is left as it was. */
import { type Cidr, isWithin } from '../core/address.ts'
import { type ApiKey, type ApiKeySpec, apiKey, type RawApiKeySpec } from './api-key.ts'
import { durationMs, instantMs } from './common.ts'
import { readAs } from './kind.ts'
import { isObject } from './problem.ts'

export type Written<Parsed, Spec> = {
  readonly parsed: Parsed
  readonly raw: { readonly metadata: unknown; readonly spec: Spec }
}

type Key = Written<ApiKey, RawApiKeySpec>

/** A manifest of an ApiKey, and what it was read as. */
export type KeyManifest = { readonly manifest: unknown; readonly parsed: ApiKey }

/** What is in force of a key that was `was` and is declared as `is`, until what gives is accepted too. */
export function narrowedKey(was: KeyManifest, is: KeyManifest): KeyManifest {
  const manifest = written(was.manifest, narrowed(keyOf(was), keyOf(is)))
  const read = readAs(apiKey, manifest)
  return read.ok ? { manifest, parsed: read.manifest } : suspended(was)
}

/** A manifest that was read has the form of its kind. */
const keyOf = ({ manifest, parsed }: KeyManifest): Key => ({ parsed, raw: manifest as Key['raw'] })

/** The manifest with these parts exchanged, and nothing in it that is undefined. */
export const written = (manifest: unknown, parts: Written<unknown, object>['raw']): unknown =>
  withoutUndefined({ ...(isObject(manifest) ? manifest : {}), ...parts, spec: withoutUndefined(parts.spec) })

const withoutUndefined = (value: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined))

/** Where what is left can't be written as a manifest the key is put out of use. */
function suspended({ manifest, parsed }: KeyManifest): KeyManifest {
  const state = stricter(parsed.spec.state, 'Suspended')
  const { raw } = keyOf({ manifest, parsed })
  return {
    manifest: written(manifest, { ...raw, spec: { ...raw.spec, state } }),
    parsed: { ...parsed, spec: { ...parsed.spec, state } },
  }
}

/** A key that nothing is left of for its holder is suspended: an empty list can't be written. */
function narrowed(before: Key, after: Key): Key['raw'] {
  const [was, is] = [before.parsed.spec, after.parsed.spec]
  const permissions = common(was.permissions, is.permissions)
  const customers = commonWhereBoth(was.customers, is.customers, common)
  const allowedCidrs = commonWhereBoth(was.allowedCidrs, is.allowedCidrs, commonBlocks)
  const nothingLeft = [permissions, customers, allowedCidrs].some((list) => list?.length === 0)
  const lists = nothingLeft ? {} : { permissions, customers, allowedCIDRs: allowedCidrs?.map(({ text }) => text) }
  return {
    metadata: after.parsed.deleting === true ? after.raw.metadata : before.raw.metadata,
    spec: {
      ...before.raw.spec,
      ...lists,
      ...limits(before.raw.spec, after.raw.spec),
      expiresAt: earlier(before.raw.spec.expiresAt, after.raw.spec.expiresAt),
      ...replacement(before, after),
      state: stricter(stricter(was.state, is.state), nothingLeft ? 'Suspended' : 'Active'),
    },
  }
}

const STRICTNESS = { Active: 0, Suspended: 1, Revoked: 2 } as const

const stricter = (a: ApiKeySpec['state'], b: ApiKeySpec['state']): ApiKeySpec['state'] =>
  STRICTNESS[a] < STRICTNESS[b] ? b : a

const common = <T>(a: readonly T[], b: readonly T[]): T[] => a.filter((one) => b.includes(one))

type Lists<T> = (a: readonly T[], b: readonly T[]) => T[]

/** undefined: not limited. */
function commonWhereBoth<T>(a: readonly T[] | undefined, b: readonly T[] | undefined, both: Lists<T>): T[] | undefined {
  if (a === undefined || b === undefined) return (a ?? b)?.slice()
  return both(a, b)
}

/** Of two blocks one lies in the other, or they have nothing in common. */
const commonBlocks = (a: readonly Cidr[], b: readonly Cidr[]): Cidr[] => [
  ...a.filter((block) => b.some((other) => isWithin(block, other))),
  ...b.filter((block) => a.some((other) => other.text !== block.text && isWithin(block, other))),
]

/** The end of a key can't be changed; should it come earlier all the same, it comes. */
function earlier(before: string | undefined, after: string | undefined): string | undefined {
  if (before === undefined || after === undefined) return before ?? after
  return (instantMs(after) ?? 0) < (instantMs(before) ?? 0) ? after : before
}

/** A limit that is new, or lower in every respect. */
function limits(before: RawApiKeySpec, after: RawApiKeySpec): Pick<RawApiKeySpec, 'rateLimit' | 'quota'> {
  return {
    rateLimit: isLowerRate(before.rateLimit, after.rateLimit) ? after.rateLimit : before.rateLimit,
    quota: isLowerQuota(before.quota, after.quota) ? after.quota : before.quota,
  }
}

function isLowerRate(before: RawApiKeySpec['rateLimit'], after: RawApiKeySpec['rateLimit']): boolean {
  if (before === undefined || after === undefined) return before === undefined
  const [was, is] = [before, after].map(({ requests, per, burst = requests }) => ({
    rate: requests / durationMs(per),
    burst,
  }))
  return was !== undefined && is !== undefined && is.rate <= was.rate && is.burst <= was.burst
}

const isLowerQuota = (before: RawApiKeySpec['quota'], after: RawApiKeySpec['quota']): boolean =>
  before === undefined || (before.per === after?.per && after.requests <= before.requests)

/** A new secret, or a new digest, ends the old one as soon as the overlap beside it says. */
function replacement(before: Key, after: Key): Pick<RawApiKeySpec, 'regenerate' | 'overlap' | 'delivery'> {
  const [was, is] = [before.parsed.spec, after.parsed.spec]
  const isImported = was.delivery.kind === 'imported' && is.delivery.kind === 'imported'
  const { regenerate, overlap } = after.raw.spec
  if (digestOf(was) !== digestOf(is)) return isImported ? { overlap, delivery: after.raw.spec.delivery } : {}
  if (is.regenerate > was.regenerate) return { regenerate, overlap }
  return is.overlapMs < was.overlapMs ? { overlap } : {}
}

const digestOf = ({ delivery }: ApiKeySpec): string | undefined =>
  delivery.kind === 'imported' ? delivery.digest : undefined
