/** What is kept of a key: its key ID, its versions and their digests. The only form in which a credential is stored. */
import { z } from 'zod'
import { type Digest, type KeyId, parseDigest, parseKeyId } from '../core/credential.ts'
import type { Parsed } from '../core/parsed.ts'
import { isHandedOver } from '../core/version.ts'

/** Stands for whoever made or received a key where nobody writes down who that is. A user of the API server has another name. */
export const UNRECORDED = 'unrecorded'

export type CurrentDigest = {
  readonly version: number
  readonly digest: Digest
  /** Milliseconds since 1970, as all times here. */
  readonly issuedAt: number
  /** Who received it, and when; undefined together: stored, but not known to be handed over. */
  readonly claimedBy: string | undefined
  readonly claimedAt: number | undefined
}

export type PreviousDigest = {
  readonly version: number
  readonly digest: Digest
  /** undefined: until the current one is handed over. */
  readonly validUntil: number | undefined
}

export type KeySecret = {
  readonly keyId: KeyId
  /** Of the ApiKey that it belongs to. */
  readonly uid: string
  /** `namespace/name` of that ApiKey. */
  readonly name: string
  readonly origin: 'minted' | 'imported'
  /** How often a schedule made a new version due; of an imported key, how often its digest was replaced. */
  readonly rotations: number
  /** undefined: nothing has been minted yet, or what was is dead and its successor is not minted yet. */
  readonly current: CurrentDigest | undefined
  readonly previous: PreviousDigest | undefined
}

/** Raised when an older Keyward could misread what this one writes. */
const FORMAT = 1

const parsedBy = <T>(parse: (text: string) => Parsed<T>) =>
  z.string().transform((text, context): T => {
    const parsed = parse(text)
    if (parsed.ok) return parsed.value
    context.issues.push({ code: 'custom', message: parsed.problem, input: text })
    return z.NEVER
  })

const keyId = parsedBy(parseKeyId)
const digest = parsedBy(parseDigest)
const count = z.int().min(0)
const version = z.int().min(1)
const at = z.int()

const schema = z
  .strictObject({
    format: z.literal(FORMAT),
    keyId,
    uid: z.string().min(1).max(128),
    name: z.string().regex(/^[^/]+\/[^/]+$/),
    origin: z.enum(['minted', 'imported']),
    rotations: count,
    current: z
      .strictObject({
        version,
        digest,
        issuedAt: at,
        claimedBy: z.string().min(1).optional(),
        claimedAt: at.optional(),
      })
      .refine(({ claimedBy, claimedAt }) => (claimedBy === undefined) === (claimedAt === undefined), {
        error: 'claimedBy and claimedAt belong together',
      })
      .optional(),
    previous: z.strictObject({ version, digest, validUntil: at.optional() }).optional(),
  })
  .refine(({ current, previous }) => previous === undefined || (current !== undefined && precedes(previous, current)), {
    error: 'previous must precede current',
    path: ['previous'],
  })
  .refine(({ current, previous }) => previous?.validUntil !== undefined || !isHandedOver(current) || !previous, {
    error: 'must end once the current one is handed over',
    path: ['previous', 'validUntil'],
  })

type Read = z.output<typeof schema>

const precedes = (previous: { version: number; digest: Digest }, current: { version: number; digest: Digest }) =>
  previous.version < current.version && previous.digest !== current.digest

/** Reads back what `encodeKeySecret` wrote, and refuses everything else: a digest that we did not write opens nothing. */
export function parseKeySecret(text: string): Parsed<KeySecret> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, problem: 'not JSON' }
  }
  const read = schema.safeParse(value)
  if (read.success) return { ok: true, value: known(read.data) }
  const problem = read.error.issues
    .map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`)
    .join('; ')
  return { ok: false, problem }
}

function known({ keyId, uid, name, origin, rotations, current, previous }: Read): KeySecret {
  return {
    keyId,
    uid,
    name,
    origin,
    rotations,
    current: current && { ...current, claimedBy: current.claimedBy, claimedAt: current.claimedAt },
    previous: previous && { ...previous, validUntil: previous.validUntil },
  }
}

/** The form that is stored: JSON, with its format named. */
export function encodeKeySecret({ keyId, uid, name, origin, rotations, current, previous }: KeySecret): string {
  return JSON.stringify({
    format: FORMAT,
    keyId,
    uid,
    name,
    origin,
    rotations,
    current: current && { ...current, digest: `sha256:${current.digest}` },
    previous: previous && { ...previous, digest: `sha256:${previous.digest}` },
  })
}
