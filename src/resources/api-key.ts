/** ApiKey: what a key is asked to be, how long it lives, and how its credential reaches its owner. */
import { z } from 'zod'
import { type Cidr, parseCidr } from '../core/address.ts'
import { type Digest, type KeyId, parseDigest, parseKeyId } from '../core/credential.ts'
import { ENVIRONMENTS, type Environment } from '../core/environment.ts'
import type { Limit } from '../core/limit.ts'
import type { Permission } from '../core/permission.ts'
import { RULES } from './api-key-rules.ts'
import {
  CIDR,
  display,
  dnsLabel,
  dnsSubdomain,
  durationMs,
  durationText,
  instantMs,
  instantText,
  KEY_ID,
  matching,
  namespacedMetadata,
  objectOf,
  periodText,
  permission,
  type SchemaMeta,
  sure,
  urlId,
} from './common.ts'
import type { KindDefinition } from './kind.ts'
import { findings } from './rule.ts'

/** How the credential reaches its owner. */
export type Delivery =
  | { readonly kind: 'claim' }
  | { readonly kind: 'workloadSecret'; readonly secretName: string }
  | { readonly kind: 'imported'; readonly digest: Digest; readonly keyId: KeyId }

export type ApiKeySpec = {
  readonly displayName: string | undefined
  readonly accessNamespace: string
  readonly environment: Environment
  readonly permissions: readonly Permission[]
  /** undefined: not limited to customers. */
  readonly customers: readonly string[] | undefined
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined
  /** The rate first, then the quota. */
  readonly limits: readonly Limit[]
  /** undefined: from anywhere. */
  readonly allowedCidrs: readonly Cidr[] | undefined
  readonly state: 'Active' | 'Suspended' | 'Revoked'
  readonly regenerate: number
  readonly overlapMs: number
  readonly rotation: { readonly everyMs: number } | undefined
  readonly delivery: Delivery
}

export type ApiKey = {
  readonly kind: 'ApiKey'
  readonly namespace: string
  readonly name: string
  readonly spec: ApiKeySpec
  /** Where it comes from it is being deleted: it works no more, and nothing is made for it. */
  readonly deleting?: true
}

/** Together with the longest period this keeps every number of a limit exact (see `core/limit.ts`). */
const MAX_RATE_REQUESTS = 60_000_000

const rateLimit = z
  .strictObject({
    requests: z.int().min(1).max(MAX_RATE_REQUESTS).describe('how many requests'),
    per: periodText().describe('in which time, such as 1m. A whole number of s, m, h or d'),
    burst: z
      .int()
      .min(1)
      .max(MAX_RATE_REQUESTS)
      .describe('how many may come at once. Left out: all of them')
      .optional(),
  })
  .describe('a rate over a moving time. Left out: none')

const quota = z
  .strictObject({
    requests: z.int().min(1).max(Number.MAX_SAFE_INTEGER).describe('how many requests'),
    per: z.enum(['day', 'month']).describe('day or month, in UTC'),
  })
  .describe('an amount per calendar day or month in UTC. Left out: none')

const delivery = z
  .strictObject({
    secretName: dnsSubdomain()
      .describe(
        'the Secret of the same Kubernetes namespace that the credential is kept in, for a workload there. It holds id, secret and key',
      )
      .optional(),
    digest: matching({
      max: 71,
      pattern: /^sha256:[0-9a-f]{64}$/,
      right: 'sha256: and 64 lower-case hex digits; the credential itself belongs in no manifest',
    })
      .meta({ hidden: true, holdsKeys: true } satisfies SchemaMeta)
      .describe(
        'SHA-256 of a credential that was made elsewhere, as keyward generate prints it. The credential itself belongs in no manifest',
      )
      .optional(),
    keyId: matching({
      max: 20,
      pattern: KEY_ID,
      right: 'a key ID, such as kw_prod_4fQ0Zp8sLm2T',
    })
      .meta({ hidden: true } satisfies SchemaMeta)
      .describe('the key ID that belongs to the digest. It never changes')
      .optional(),
  })
  .describe(
    'how the credential reaches its owner: exactly one of secretName and digest with keyId. Left out: it waits to be claimed with an ApiKeyClaim',
  )

const spec = z
  .strictObject({
    displayName: display().describe('its name for people').optional(),
    accessNamespace: dnsLabel().describe('name of the AccessNamespace that the key is bound to. It never changes'),
    environment: z
      .enum(ENVIRONMENTS)
      .describe(`the environment that it works in: one of ${ENVIRONMENTS.join(', ')}. It never changes`),
    permissions: z
      .array(permission())
      .min(1)
      .max(64)
      .describe('what the key may do, such as [license:manage]. 1 to 64, compared as they are written'),
    customers: z
      .array(urlId())
      .min(1)
      .max(64)
      .describe('the customers that the key is limited to. Left out: it is not limited to any')
      .optional(),
    expiresAt: instantText()
      .describe(
        'when the key ends by itself, such as 2027-03-01T00:00:00Z. It can not be added, changed or removed later',
      )
      .optional(),
    rateLimit: rateLimit.optional(),
    quota: quota.optional(),
    allowedCIDRs: z
      .array(matching({ max: 43, pattern: CIDR, right: 'a CIDR block such as 203.0.113.0/24' }))
      .min(1)
      .max(64)
      .describe('the address blocks that the key may be used from, such as [203.0.113.0/24]. Left out: from anywhere')
      .optional(),
    state: z
      .enum(['Active', 'Suspended', 'Revoked'])
      .default('Active')
      .describe('Active, Suspended, which can be taken back, or Revoked, which is for good'),
    regenerate: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe('raise it for a new secret. ID, permissions, configuration and expiry stay. It is never lowered'),
    overlap: durationText()
      .default('0s')
      .describe('how long a replaced secret still works, such as 1h. 0s: it ends at once. Never past expiresAt'),
    rotation: z
      .strictObject({
        every: durationText().describe(
          'how often a new secret is made, such as 720h. At least 1h, and longer than the overlap',
        ),
      })
      .describe('makes a new secret by itself. Only with delivery.secretName')
      .optional(),
    delivery: delivery.optional(),
  })
  .describe('what the key is asked to be')

const schema = objectOf({ kind: 'ApiKey', metadata: namespacedMetadata, spec })

/** The spec as it is written. */
export type RawApiKeySpec = z.input<typeof spec>

export const apiKey: KindDefinition<typeof schema, ApiKey> = {
  schema,
  rules: (value, problems) => findings(RULES, { value: value.spec, base: ['spec'], problems }),
  read: ({ metadata: { namespace, name, deletionTimestamp }, spec: raw }) => ({
    kind: 'ApiKey',
    namespace,
    name,
    spec: {
      displayName: raw.displayName,
      accessNamespace: raw.accessNamespace,
      environment: raw.environment,
      permissions: raw.permissions,
      customers: raw.customers,
      expiresAt: raw.expiresAt === undefined ? undefined : instantMs(raw.expiresAt),
      limits: limitsOf(raw),
      allowedCidrs: raw.allowedCIDRs?.map((text) => sure(parseCidr(text))),
      state: raw.state,
      regenerate: raw.regenerate,
      overlapMs: durationMs(raw.overlap),
      rotation: raw.rotation === undefined ? undefined : { everyMs: durationMs(raw.rotation.every) },
      delivery: deliveryOf(raw.delivery),
    },
    // whatever is written there: one that is not understood must not keep the key alive
    ...((deletionTimestamp ?? undefined) !== undefined && { deleting: true }),
  }),
}

const NO_LIMITS: readonly Limit[] = []

function limitsOf({ rateLimit, quota }: RawApiKeySpec): readonly Limit[] {
  if (rateLimit === undefined && quota === undefined) return NO_LIMITS
  const limits: Limit[] = []
  if (rateLimit !== undefined) {
    const { requests, per, burst } = rateLimit
    limits.push({ kind: 'rate', requests, perUs: durationMs(per) * 1000, burst: burst ?? requests })
  }
  if (quota !== undefined) limits.push({ kind: 'quota', requests: quota.requests, period: quota.per })
  return limits
}

const TO_BE_CLAIMED: Delivery = { kind: 'claim' }

function deliveryOf(raw: RawApiKeySpec['delivery']): Delivery {
  if (raw?.secretName !== undefined) return { kind: 'workloadSecret', secretName: raw.secretName }
  if (raw?.digest === undefined || raw.keyId === undefined) return TO_BE_CLAIMED
  return { kind: 'imported', digest: sure(parseDigest(raw.digest)), keyId: sure(parseKeyId(raw.keyId)) }
}
