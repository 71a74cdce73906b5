/** Very many keys as the operator would leave them: the first through the API server, the others stored in etcd after their pattern. */
import { randomUUID } from 'node:crypto'
import type { Cap } from '../../src/core/cap.ts'
import { digestOf, formatDigest } from '../../src/core/credential.ts'
import { digestSecretName } from '../../src/kube/digest-secret.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { isObject } from '../../src/resources/problem.ts'
import type { Cluster } from './cluster.ts'
import type { Stored } from './cluster-etcd.ts'
import {
  aMintedSecret,
  apiKeyPath,
  createApiKey,
  digestSecretOf,
  expectOk,
  type MadeKey,
  SECRETS_PATH,
} from './granted-keys.ts'
import { aCredential } from './make.ts'

const TEAMS = 20
/** After so many the same fields are there again, so that managedFields, which the API server writes, are as they would be. */
const PATTERNS = 2 * 3 * 5 * 11
const STORED_AT_ONCE = 5000

const PERMISSIONS = [
  ['thing:read'],
  ['thing:read', 'thing:write', 'telemetry:write'],
  ['thing:read', 'customer:read', 'license:manage'],
]

/** Keys are told apart in about everything that people tell them apart in; every second one is imported. */
function specOf(n: number): Readonly<Record<string, unknown>> {
  return {
    displayName: `Integration of customer ${n}`,
    accessNamespace: 'acme',
    environment: 'production',
    permissions: PERMISSIONS[n % PERMISSIONS.length],
    rateLimit: { requests: 600 + (n % 7) * 100, per: '1m' },
    ...(n % 5 === 0 && { expiresAt: `2027-0${1 + (n % 9)}-01T00:00:00Z` }),
    ...(n % 11 === 0 && { allowedCIDRs: ['127.0.0.0/8', `203.0.${n % 256}.0/24`] }),
  }
}

/** Most people hold all of it and no route reaches `within` with it; some have lost something, or hold it in some places. */
function capOf(n: number): Cap {
  const permissions = PERMISSIONS[n % PERMISSIONS.length] ?? []
  const held = n % 50 === 0 ? permissions.slice(0, 1) : permissions
  return { held, within: n % 20 === 0 ? { 'thing:read': [`place-${n % 400}`, `place-${n % 1000}`].sort() } : {} }
}

/** As long as an operator's, with the conditions that it always writes. */
function statusOf(keyId: string, n: number): object {
  const condition = (type: string, message: string) => ({
    ...{ type, status: 'True', reason: type, message, observedGeneration: 1 },
    lastTransitionTime: '2026-11-22T12:00:00Z',
  })
  const permissions = PERMISSIONS[n % PERMISSIONS.length] ?? []
  return {
    ...{ phase: 'Active', keyId, createdBy: { username: 'ana@example.com' }, permissions, observedGeneration: 1 },
    permissionsSummary: permissions.join(', '),
    limitsSummary: '600 per 1m',
    credential: {
      ...{ version: 1, issuedAt: '2026-11-22T12:00:00Z', claimedAt: '2026-11-22T12:00:00Z' },
      claimedBy: { username: 'ana@example.com' },
    },
    conditions: [
      condition('Accepted', 'the spec is valid'),
      condition('CredentialStored', 'the digest of version 1 is stored'),
      condition('Claimed', 'version 1 was handed over'),
      condition('WithinCreatorAccess', 'everybody behind the key holds what it asks for'),
      condition('Ready', 'the key works'),
    ],
  }
}

type Drawn = { readonly key: string; readonly spec: object; readonly secretFor: (made: MadeKey) => KeySecret }

/** Every second one is imported. */
function drawn(n: number): Drawn {
  const name = nameOf(n)
  if (n % 2 === 0) {
    const { secret, key } = aMintedSecret(name, '')
    return { key, spec: specOf(n), secretFor: ({ metadata: { uid } }) => ({ ...secret, uid }) }
  }
  const credential = aCredential()
  const { keyId, text } = credential
  const digest = digestOf(credential)
  const now = Date.now()
  const current = { version: 1, digest, issuedAt: now, claimedBy: 'import', claimedAt: now }
  return {
    key: text,
    spec: { ...specOf(n), delivery: { digest: formatDigest(digest), keyId } },
    secretFor: ({ metadata: { uid } }) => ({
      ...{ keyId, uid, name, origin: 'imported', rotations: 0, current, previous: undefined },
    }),
  }
}

const nameOf = (n: number): string => `team-${n % TEAMS}/integration-${n}`

/** An ApiKey and its digest Secret, as the API server stores them. */
type Pattern = { readonly apiKey: KubeObject; readonly secret: KubeObject }

async function throughTheServer(cluster: Cluster, n: number): Promise<{ key: string; pattern: Pattern }> {
  const { key, spec, secretFor } = drawn(n)
  const made = await createApiKey(cluster, nameOf(n), spec as Readonly<Record<string, unknown>>)
  const secret = secretFor(made)
  const stored = await expectOk(cluster, 'POST', SECRETS_PATH, digestSecretOf(secret, made, capOf(n)))
  const path = apiKeyPath(nameOf(n))
  await expectOk(
    ...([cluster, 'PATCH', `${path}/status`, { status: statusOf(secret.keyId, n) }] as const),
    'application/merge-patch+json',
  )
  const apiKey = await expectOk(cluster, 'GET', path)
  return { key, pattern: { apiKey: apiKey as KubeObject, secret: stored as KubeObject } }
}

/** What a person writes, as the API server tells it: in its order, with its defaults. */
const asTold = (written: unknown, told: unknown): unknown =>
  isObject(written) && isObject(told)
    ? Object.fromEntries(Object.entries(told).map(([field, value]) => [field, asTold(written[field] ?? value, value)]))
    : written

function afterPattern({ apiKey, secret }: Pattern, n: number): { key: string; objects: readonly Stored[] } {
  const { key, spec: written, secretFor } = drawn(n)
  const spec = asTold(written, apiKey.spec) as Readonly<Record<string, unknown>>
  const [namespace = '', name = ''] = nameOf(n).split('/')
  const uid = randomUUID()
  const made = { metadata: { uid, generation: 1 }, spec }
  const kept = secretFor(made)
  const own = digestSecretOf(kept, made, capOf(n)) as { metadata: object; data: object }
  const asStored = ({ metadata: { resourceVersion: _, ...metadata } }: KubeObject, own: object) => ({
    ...metadata,
    ...own,
  })
  const secretName = digestSecretName(kept.keyId)
  return {
    key,
    objects: [
      {
        key: `/registry/keyward.dev/apikeys/${namespace}/${name}`,
        value: {
          ...apiKey,
          metadata: asStored(apiKey, { name, namespace, uid }),
          spec,
          status: statusOf(kept.keyId, n),
        },
      },
      {
        key: `/registry/secrets/keyward-system/${secretName}`,
        value: { ...secret, ...own, metadata: asStored(secret, { ...own.metadata, uid: randomUUID() }) },
      },
    ],
  }
}

export type StoredKey = {
  /** The whole key. */
  readonly key: string
  /** Whether it is let in from everywhere. */
  readonly fromAnywhere: boolean
}

export async function storeManyKeys(cluster: Cluster, count: number): Promise<readonly StoredKey[]> {
  for (let i = 0; i < TEAMS; i++) {
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: `team-${i}` } })
  }
  const keys: StoredKey[] = []
  const add = (key: string, n: number) => keys.push({ key, fromAnywhere: !('allowedCIDRs' in specOf(n)) })
  const patterns: Pattern[] = []
  for (let n = 0; n < Math.min(count, PATTERNS); n++) {
    const { key, pattern } = await throughTheServer(cluster, n)
    add(key, n)
    patterns.push(pattern)
  }
  for (let from = PATTERNS; from < count; from += STORED_AT_ONCE) {
    const stored: Stored[] = []
    for (let n = from; n < Math.min(from + STORED_AT_ONCE, count); n++) {
      const pattern = patterns[n % PATTERNS]
      if (pattern === undefined) throw new Error('there is no pattern')
      const { key, objects } = afterPattern(pattern, n)
      add(key, n)
      stored.push(...objects)
    }
    await cluster.etcdPut(stored)
  }
  return keys
}
