/** What every case runs in: the upstream with its log, `keyward standalone` in front of it, and all fixtures handed over. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { join } from 'node:path'
import { composeCredential, composeKeyId, RANDOM_BYTES } from '../../src/core/credential.ts'
import { ask } from '../support/ask.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { until } from '../support/until.ts'
import { type Answer, exchange } from './client.ts'
import type { Credentials } from './oracle.ts'
import { startUpstream, type Upstream } from './upstream.ts'

export type World = {
  readonly upstream: Upstream
  readonly standalone: Standalone
  /** The proxy's port. */
  readonly port: number
  readonly credentials: Credentials
  readonly send: (bytes: string, options?: Partial<Sending>) => Promise<Answer>
  readonly metrics: () => Promise<string>
  /** Declares the key whose credential was not good so far (KEY_NOTBEFORE_FUTURE). */
  readonly declareFuture: () => void
  readonly withdrawFuture: () => void
  readonly stop: () => Promise<void>
}

export type Sending = { readonly from: string; readonly lingerMs: number; readonly patienceMs: number }

const AS_HANDED_OVER: Readonly<Record<string, string>> = {
  KEY_OK: 'team-a/ok',
  KEY_RO: 'team-a/ro',
  KEY_ADMIN: 'team-admin/admin',
  KEY_OTHER: 'team-c/other',
  KEY_OTHER_NS: 'team-b/other-ns',
  KEY_STAGING: 'team-a/staging',
  KEY_LOW_RATE: 'team-a/low-rate',
  KEY_NEAR: 'team-a/near',
  KEY_FAR: 'team-a/far',
  KEY_CUSTOMER: 'team-a/customer',
  KEY_REVOKED: 'team-a/revoked',
  KEY_INACTIVE: 'team-a/inactive',
}

/** On a machine that stalls a key may be gone before anybody has seen that it was good: then another gets longer. */
const EXPIRES_AFTER_MS = [3000, 6000, 12_000]

/** Starts everything; each fixture has then shown that it is what its name says. */
export async function startWorld(upstreamIdleMs = 0): Promise<World> {
  const upstream = await startUpstream(upstreamIdleMs)
  const standalone = await startStandalone({
    manifests: join(import.meta.dirname, 'manifests'),
    upstream: `http://127.0.0.1:${upstream.port}`,
  })
  const port = Number(new URL(standalone.url).port)
  const send = (bytes: string, options: Partial<Sending> = {}) =>
    exchange({ port, bytes, lingerMs: 60, patienceMs: 20_000, ...options })
  const future = futureKey()
  const credentials: Record<string, string> = { KEY_NOTBEFORE_FUTURE: future.key, JWT_OK: jwt() }
  for (const [fixture, name] of Object.entries(AS_HANDED_OVER)) credentials[fixture] = (await standalone.key(name)).key
  credentials.KEY_EXPIRED = await expiringKey(standalone, async (key) => (await keyStatus(send, key)) === 200)
  const statusOf = (fixture: string) => keyStatus(send, credentials[fixture] ?? '')
  for (const fixture of ['KEY_OK', 'KEY_REVOKED', 'KEY_INACTIVE']) {
    const status = await statusOf(fixture)
    if (status !== 200) throw new Error(`${fixture} is ${status} while it should still be good`)
  }
  standalone.replace('keys-revoked.yaml', 'state: Active', 'state: Revoked')
  standalone.replace('keys-inactive.yaml', 'state: Active', 'state: Suspended')
  for (const fixture of ['KEY_REVOKED', 'KEY_INACTIVE', 'KEY_EXPIRED']) {
    await until(`${fixture} is good no more`, async () => (await statusOf(fixture)) === 401)
  }
  return {
    upstream,
    standalone,
    port,
    credentials,
    send,
    metrics: async () => (await ask(`${standalone.adminUrl}/metrics`)).text,
    declareFuture: () => standalone.edit('keys-future.yaml', future.manifest),
    withdrawFuture: () => standalone.remove('keys-future.yaml'),
    stop: async () => {
      await standalone.stop()
      await upstream.close()
    },
  }
}

const keyStatus = async (send: World['send'], key: string): Promise<number> =>
  (await send(`GET /api/fixture HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`)).status

/** A key that is good for a moment: an expiry that has passed can't be declared. */
async function expiringKey(standalone: Standalone, isGood: (key: string) => Promise<boolean>): Promise<string> {
  for (const [i, afterMs] of EXPIRES_AFTER_MS.entries()) {
    const name = `expired-${i}`
    // whole seconds, as manifests write them
    const expiresAt = new Date(Math.ceil((Date.now() + afterMs) / 1000) * 1000).toISOString()
    standalone.edit('keys-expired.yaml', apiKey(name, `expiresAt: "${expiresAt}"`))
    const handedOver = await standalone.key(`team-a/${name}`, 1, afterMs).catch(() => undefined)
    if (handedOver !== undefined && (await isGood(handedOver.key))) return handedOver.key
  }
  throw new Error('no key that expires was seen to be good before')
}

export const apiKey = (name: string, ...fields: readonly string[]): string =>
  [
    'apiVersion: keyward.dev/v1alpha1',
    'kind: ApiKey',
    `metadata: {name: ${name}, namespace: team-a}`,
    'spec:',
    '  accessNamespace: shop-eu',
    '  environment: production',
    '  permissions: ["api:read", "orders:create"]',
    ...fields.map((field) => `  ${field}`),
    '',
  ].join('\n')

/** Made elsewhere and not declared yet: Keyward's keys have no first day of their own, so this is "not yet" here. */
export function futureKey(name = 'future'): { readonly key: string; readonly manifest: string } {
  const keyId = composeKeyId('production', randomBytes(RANDOM_BYTES))
  const { text } = composeCredential(keyId, randomBytes(RANDOM_BYTES))
  return { key: text, manifest: apiKey(name, importedDelivery(text)) }
}

export const importedDelivery = (key: string): string =>
  `delivery: {digest: "sha256:${createHash('sha256').update(key).digest('hex')}", keyId: ${key.slice(0, key.lastIndexOf('_'))}}`

/** Correctly signed, by an issuer that this API does not name. */
function jwt(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'https://issuer.test', aud: 'keyward', sub: 'ana', exp: Math.floor(Date.now() / 1000) + 3600 }
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
}
