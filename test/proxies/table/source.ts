/** Who answers the checks of the table: `keyward standalone` over manifests/, with every key in the state that its name says. */
import { readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { ask } from '../../support/ask.ts'
import { startAuthz } from '../../support/authz.ts'
import { aCredential } from '../../support/make.ts'
import { type Standalone, startStandalone } from '../../support/standalone.ts'
import { until } from '../../support/until.ts'
import { type Behind, FRONTS, type FrontName } from '../fronts/front.ts'
import { HOST } from './case.ts'
import { startTableUpstream } from './upstream.ts'

export type Source = {
  readonly behind: Behind
  /** The credential of a key; `name@1` is its first secret, where that was replaced. */
  readonly credential: (name: string, front: FrontName) => string
  readonly stop: () => Promise<void>
}

/** In every way a key, and handed over by nobody here. */
const UNKNOWN = aCredential({ seed: 'of another installation' }).text

const MANIFESTS = join(import.meta.dirname, 'manifests')
const CHANGED = 'keys-changed.yaml'
const EXPIRES_AFTER_MS = 5000

/** Keys that each front has for itself. */
const METERED: Readonly<Record<string, string>> = {
  rate: 'rateLimit: {requests: 2, per: 1d}',
  quota: 'quota: {requests: 1, per: month}',
  metered: 'rateLimit: {requests: 600, per: 1m, burst: 60}, quota: {requests: 1000, per: month}',
  thrifty: 'rateLimit: {requests: 1, per: 1d}',
}

const document = (kind: string, metadata: string, spec: string): string =>
  `apiVersion: keyward.dev/v1alpha1\nkind: ${kind}\nmetadata: {${metadata}}\nspec: {${spec}}\n`

const meteredKeys = (): string =>
  FRONTS.flatMap((front) =>
    Object.entries(METERED).map(([name, limits]) =>
      document(
        'ApiKey',
        `name: ${name}-${front}, namespace: team-a`,
        `accessNamespace: acme-web-eu, environment: production, permissions: ["thing:read"], ${limits}`,
      ),
    ),
  ).join('---\n')

/** Good for a moment: an expiry that has passed can not be declared. */
function expiringKey(): string {
  // whole seconds, as manifests write them
  const expiresAt = new Date(Math.ceil((Date.now() + EXPIRES_AFTER_MS) / 1000) * 1000).toISOString()
  return document(
    'ApiKey',
    'name: expired, namespace: team-a',
    `accessNamespace: acme-web-eu, environment: production, permissions: ["thing:read"], expiresAt: "${expiresAt}"`,
  )
}

/** More workspaces than a header lists. */
const LARGE = 200

function largeApplication(): string {
  const id = (n: number) => `workspace-of-the-large-application-${String(n).padStart(3, '0')}`
  return [
    document('AccessNamespace', 'name: acme-large', 'type: application, parent: acme, externalId: app-large'),
    ...Array.from({ length: LARGE }, (_, n) =>
      document('AccessNamespace', `name: ${id(n)}`, 'type: workspace, parent: acme-large'),
    ),
    document(
      'ApiKey',
      'name: large, namespace: team-a',
      'accessNamespace: acme-large, environment: production, permissions: ["workspace:read"]',
    ),
  ].join('---\n')
}

function manifests(): Readonly<Record<string, string>> {
  const files = readdirSync(MANIFESTS).map((file) => [file, readFileSync(join(MANIFESTS, file), 'utf8')] as const)
  return {
    ...Object.fromEntries(files.map(([file, text]) => [file, filled(text)])),
    'keys-metered.yaml': meteredKeys(),
    'large.yaml': largeApplication(),
  }
}

const filled = (text: string): string => text.replace('{{addresses}}', ownAddresses().join('", "'))

/** Envoy tells a check its own address, where its caller is on the same machine. */
const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one?.family === 'IPv4' ? [`${one.address}/32`] : []))

/** Which process is asked: `keyward standalone` itself, or a `keyward authz` beside it. The proxy of our own is the former's. */
export type Checks = 'standalone' | 'authz'

/** Starts the upstream as well. */
export async function startSource(checks: Checks): Promise<Source> {
  const upstream = await startTableUpstream()
  const standalone = await startStandalone({ manifests: manifests(), upstream: upstream.url.origin })
  const problem = standalone.output().match(/^.*manifest problem.*$/m)
  if (problem !== null) throw new Error(problem[0])
  const proxyPort = Number(new URL(standalone.url).port)
  const checkPort = Number(new URL(standalone.checkUrl).port)
  const authz = checks === 'authz' ? await startAuthz({ home: standalone.home }) : undefined
  // 9000 and 9001, at whatever offset
  const behind = {
    upstream,
    proxyPort,
    checkPort: authz?.ports.check ?? checkPort,
    grpcPort: authz?.ports.grpc ?? checkPort + 1,
  }
  await settle(standalone, behind.checkPort)
  return {
    behind,
    credential: (name, front) => credentialOf(standalone, name, front),
    stop: async () => {
      await authz?.stop()
      await standalone.stop()
      await upstream.stop()
    },
  }
}

function credentialOf(standalone: Standalone, name: string, front: FrontName): string {
  if (name === 'unknown') return UNKNOWN
  const [wanted = '', version] = name.split('@')
  const full =
    wanted in METERED ? `team-a/${wanted}-${front}` : `${wanted === 'elsewhere' ? 'team-b' : 'team-a'}/${wanted}`
  const own = standalone.keys().filter((key) => `${key.namespace}/${key.name}` === full)
  const key = version === undefined ? own.at(-1) : own[Number(version) - 1]
  if (key === undefined) throw new Error(`no credential of ${full} was handed over`)
  return key.key
}

const GOOD_NO_MORE = ['suspended', 'revoked', 'expired', 'replaced@1', 'lapsed@1']
const GOOD_AGAIN = ['replaced', 'overlapping@1', 'overlapping']

/** The edits that make suspended, revoked and replaced keys of good ones, and the time that it takes others to run out. */
async function settle(standalone: Standalone, checkPort: number): Promise<void> {
  standalone.edit('keys-expired.yaml', expiringKey())
  for (const name of ['suspended', 'revoked', 'replaced', 'overlapping', 'lapsed', 'expired']) {
    await standalone.key(`team-a/${name}`)
  }
  const text = standalone.read(CHANGED)
  standalone.edit(CHANGED, text.replace(/: \w+ # (\w+)$/gm, ': $1'))
  for (const name of ['replaced', 'overlapping', 'lapsed']) await standalone.key(`team-a/${name}`, 2)
  const settled = async (name: string, wanted: number) => {
    const key = credentialOf(standalone, name, 'keyward')
    const question = { host: HOST, key }
    await until(
      `${name} gives ${wanted}`,
      async () => {
        const proxied = await ask(`${standalone.url}/v1/things`, question)
        const checked = await ask(`http://127.0.0.1:${checkPort}/check/envoy/v1/things`, question)
        return proxied.status === wanted && checked.status === wanted
      },
      EXPIRES_AFTER_MS + 20_000,
    )
  }
  for (const name of GOOD_NO_MORE) await settled(name, 401)
  for (const name of GOOD_AGAIN) await settled(name, 200)
}
