/** Valid keys, secrets, claims and worlds for tests, which name only what matters to them. */
import { type Digest, type KeyId, parseDigest, parseKeyId } from '../../src/core/credential.ts'
import type { People, Recipient, WaitingClaim, World } from '../../src/operator/world.ts'
import type { ApiKey, ApiKeySpec } from '../../src/resources/api-key.ts'
import type { CurrentDigest, KeySecret } from '../../src/resources/key-secret.ts'
import { parseReported } from '../../src/resources/key-status.ts'

export const NOON = Date.parse('2026-11-22T12:00:00Z')
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

const must = <T>(parsed: { ok: true; value: T } | { ok: false; problem: string }): T => {
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

export const aKeyId = (letter: string): KeyId => must(parseKeyId(`kw_prod_${letter.repeat(12)}`))
/** A digest of one hex digit. */
export const aDigest = (digit: string): Digest => must(parseDigest(`sha256:${digit.repeat(64)}`))

const aSpec = (spec: Partial<ApiKeySpec> = {}): ApiKeySpec => ({
  displayName: undefined,
  accessNamespace: 'acme',
  environment: 'production',
  permissions: ['license:manage', 'customer:read'],
  customers: undefined,
  expiresAt: undefined,
  limits: [],
  allowedCidrs: undefined,
  state: 'Active',
  regenerate: 0,
  overlapMs: 0,
  rotation: undefined,
  delivery: { kind: 'claim' },
  ...spec,
})

export const anApiKey = (spec: Partial<ApiKeySpec> = {}, name = 'main'): ApiKey => ({
  kind: 'ApiKey',
  namespace: 'default',
  name,
  spec: aSpec(spec),
})

export const IMPORTED = { kind: 'imported', keyId: aKeyId('i'), digest: aDigest('a') } as const
export const WORKLOAD = { kind: 'workloadSecret', secretName: 'main-credential' } as const
export const NEW_KEYS = { kind: 'newKeys', claimant: 'standalone' } as const
export const TO_WORKLOAD = { ...WORKLOAD, claimant: 'ana@example.com' } as const

/** A version that was handed over an hour ago. */
export const aVersion = (version: number, digit: string, over: Partial<CurrentDigest> = {}): CurrentDigest => ({
  version,
  digest: aDigest(digit),
  issuedAt: NOON - HOUR,
  claimedBy: 'ben@example.com',
  claimedAt: NOON - HOUR,
  ...over,
})

export const NOT_ARRIVED = { claimedBy: undefined, claimedAt: undefined } as const

export const aSecret = (secret: Partial<KeySecret> = {}): KeySecret => ({
  keyId: aKeyId('m'),
  uid: 'uid-1',
  name: 'default/main',
  origin: 'minted',
  rotations: 0,
  current: aVersion(1, '1'),
  previous: undefined,
  ...secret,
})

export const anImportedSecret = (secret: Partial<KeySecret> = {}): KeySecret =>
  aSecret({ keyId: IMPORTED.keyId, origin: 'imported', current: aVersion(1, 'a'), ...secret })

export const aClaim = (name: string, claim: Partial<WaitingClaim> = {}): WaitingClaim => ({
  name,
  claimant: 'ben@example.com',
  version: undefined,
  dueWhenMade: undefined,
  unattested: undefined,
  cap: undefined,
  objection: undefined,
  delivered: undefined,
  ...claim,
})

export const claimOf = (name: string): Recipient => ({ kind: 'claim', claim: name, claimant: 'ben@example.com' })

/** Ana made the key, and nobody caps it. */
export const somePeople = (people: Partial<People> = {}): People => ({
  createdBy: 'ana@example.com',
  cap: undefined,
  lost: [],
  unattested: undefined,
  ...people,
})

/** People who hold this of what a key asks for. */
export const holding = (...held: readonly string[]): Partial<People> => ({ cap: { held, within: {} } })

type WorldParts = Partial<Omit<World, 'declared' | 'reported'>> & {
  readonly spec?: Partial<ApiKeySpec>
  readonly secret?: KeySecret
  readonly tombstoned?: boolean
  readonly reported?: unknown
  readonly gone?: boolean
  readonly deleting?: true
}

/** A key that exists; `gone`: it does not. */
export const aWorld = ({ spec, secret, tombstoned, reported, gone, deleting, ...rest }: WorldParts = {}): World => ({
  declared:
    gone === true
      ? undefined
      : { uid: 'uid-1', generation: 1, apiKey: { ...anApiKey(spec), ...(deleting && { deleting }) } },
  held: secret && { kind: 'read', secret, revision: '1', tombstoned: tombstoned ?? false },
  orphans: [],
  claims: [],
  automatic: undefined,
  arrival: undefined,
  workloadSecret: undefined,
  granting: undefined,
  freshKeyId: secret === undefined ? aKeyId('f') : undefined,
  people: somePeople(),
  taken: { keyId: undefined, digest: undefined },
  reported: parseReported(reported),
  ...rest,
})
