/** Very many digests that are there before authz is: how soon it is ready, and how much memory it takes. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cap } from '../../src/core/cap.ts'
import { digestOf, formatDigest } from '../../src/core/credential.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { startCluster } from './cluster.ts'
import { startClusterAuthz } from './cluster-authz.ts'
import { aMintedSecret, createApiKey, putNewSecret } from './granted-keys.ts'
import { aCredential } from './make.ts'
import { THINGS } from './things.ts'

export type AuthzScale = {
  readonly readyS: number
  /** When it is ready, the most there ever was until then, and half a minute later. */
  readonly rssMiB: number
  readonly peakMiB: number
  readonly laterMiB: number
  /** Of keys drawn from all of them. */
  readonly outcomes: readonly string[]
  readonly keys: number | undefined
}

const TEAMS = 20
const SAMPLES = 50
const AT_ONCE = 32

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

export async function measureAuthzScale(count: number): Promise<AuthzScale> {
  const cluster = await startCluster({ admission: 'none' })
  for (const name of ['team', ...Array.from({ length: TEAMS }, (_, i) => `team-${i}`)]) {
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } })
  }
  await cluster.apply(THINGS)
  const samples: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const key = await makeKey(n)
      const isAsked = n % Math.ceil(count / SAMPLES) === 0 && !('allowedCIDRs' in specOf(n))
      if (isAsked) samples.push(key)
    }
  }
  const makeKey = async (n: number): Promise<string> => {
    const name = `team-${n % TEAMS}/integration-${n}`
    if (n % 2 === 0) {
      const made = await createApiKey(cluster, name, specOf(n))
      const { secret, key } = aMintedSecret(name, made.metadata.uid)
      await putNewSecret(cluster, { secret, made, cap: capOf(n) })
      return key
    }
    const credential = aCredential()
    const { keyId, text } = credential
    const digest = digestOf(credential)
    const delivery = { digest: formatDigest(digest), keyId }
    const made = await createApiKey(cluster, name, { ...specOf(n), delivery })
    const { uid } = made.metadata
    const now = Date.now()
    const current = { version: 1, digest, issuedAt: now, claimedBy: 'import', claimedAt: now }
    const secret: KeySecret = { keyId, uid, name, origin: 'imported', rotations: 0, current, previous: undefined }
    await putNewSecret(cluster, { secret, made, cap: capOf(n) })
    return text
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))

  const authz = await startClusterAuthz(cluster, { ready: false, readyWithinMs: 60_000 })
  const startedAt = performance.now()
  await authz.ready()
  const readyS = (performance.now() - startedAt) / 1000
  const [rssMiB, peakMiB] = [statusOf(authz.process.pid, 'VmRSS'), statusOf(authz.process.pid, 'VmHWM')]
  const outcomes = await Promise.all(samples.map((key) => authz.outcome({ key })))
  await sleep(30_000)
  const laterMiB = statusOf(authz.process.pid, 'VmRSS')
  return { readyS, rssMiB, peakMiB, laterMiB, outcomes, keys: await authz.metric('keyward_keys') }
}

/** The process may be below a helper that ends it with the tests. */
function statusOf(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
}
