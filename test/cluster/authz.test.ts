import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestSecretName, writeDigestSecret } from '../../src/kube/digest-secret.ts'
import { ask } from '../support/ask.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import {
  aMintedSecret,
  createApiKey,
  editSpec,
  expectOk,
  grantAsDeclared,
  grantKey,
  SECRETS_PATH,
} from '../support/granted-keys.ts'
import { runKeyward } from '../support/keyward.ts'
import { aWholeCap } from '../support/make.ts'
import { THINGS } from '../support/things.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let authz: ClusterAuthz
const BOTH = { permissions: ['thing:read', 'thing:write'] }

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  authz = await startClusterAuthz(cluster)
}, 120_000)

describe('authz on a cluster without an operator', () => {
  test('lets a key through whose ApiKey and digest are there, and no other', async () => {
    const { key } = await grantKey(cluster, 'team/main')
    await authz.comesTo({ key }, '200')
    expect(await authz.outcome({ key, method: 'POST' })).toBe('403 missing_permission')
    expect(await authz.outcome({ path: '/healthz' })).toBe('200')
    expect(await authz.outcome({})).toBe('401 missing_credential')
    expect(await authz.outcome({ key: aMintedSecret('team/x', 'x').key })).toBe('401 invalid_key')
    expect(await authz.metric('keyward_keys')).toBe(1)
  })

  test.each([
    ['suspended', { state: 'Suspended' }, '401 key_inactive'],
    ['revoked', { state: 'Revoked' }, '401 key_inactive'],
    ['without its permission', { permissions: ['thing:write'] }, '403 missing_permission'],
    ['with none of its permissions left', { permissions: ['other:read'] }, '401 key_inactive'],
    ['limited to customers', { customers: ['globex'] }, '403 outside_customer'],
    ['limited to addresses', { allowedCIDRs: ['10.0.0.0/8'] }, '403 address_not_allowed'],
    ['regenerated without overlap', { regenerate: 1 }, '401 invalid_key'],
  ])('refuses a key at once that is %s', async (what, spec, outcome) => {
    const granted = await grantKey(cluster, `team/${what.replaceAll(' ', '-')}`, BOTH)
    await authz.comesTo({ key: granted.key }, '200')
    await editSpec(cluster, granted, spec)
    await authz.comesTo({ key: granted.key }, outcome)
  })

  test('grants a limit at once that is new', async () => {
    const granted = await grantKey(cluster, 'team/limited')
    await authz.comesTo({ key: granted.key }, '200')
    await editSpec(cluster, granted, { rateLimit: { requests: 2, per: '24h' } })
    await authz.comesTo({ key: granted.key }, '429 rate_limited')
  })

  test('refuses a key at once that is deleted, and one that only waits for a finalizer', async () => {
    const [gone, waiting] = [await grantKey(cluster, 'team/gone'), await grantKey(cluster, 'team/waiting')]
    await expectOk(
      cluster,
      'PATCH',
      waiting.path,
      { metadata: { finalizers: ['example.com/wait'] } },
      'application/merge-patch+json',
    )
    for (const { key } of [gone, waiting]) await authz.comesTo({ key }, '200')
    for (const { path } of [gone, waiting]) await expectOk(cluster, 'DELETE', path)
    await authz.comesTo({ key: gone.key }, '401 invalid_key')
    await authz.comesTo({ key: waiting.key }, '401 key_inactive')
    await expectOk(cluster, 'PATCH', waiting.path, { metadata: { finalizers: null } }, 'application/merge-patch+json')
    await authz.comesTo({ key: waiting.key }, '401 invalid_key')
  })

  test('refuses a key whose digest is taken away, and one that was made again under its name', async () => {
    const [bare, again] = [await grantKey(cluster, 'team/bare'), await grantKey(cluster, 'team/again')]
    for (const { key } of [bare, again]) await authz.comesTo({ key }, '200')
    await expectOk(cluster, 'DELETE', bare.secretPath)
    await expectOk(cluster, 'DELETE', again.path)
    await createApiKey(cluster, 'team/again', { accessNamespace: 'acme', environment: 'production', ...BOTH })
    for (const { key } of [bare, again]) await authz.comesTo({ key }, '401 invalid_key')
  })

  test('lets a key do more only once that is granted', async () => {
    const granted = await grantKey(cluster, 'team/wider', { state: 'Suspended' })
    await authz.comesTo({ key: granted.key }, '401 key_inactive')
    await editSpec(cluster, granted, { state: 'Active', ...BOTH })
    // something that is written later is seen later
    const marker = await grantKey(cluster, 'team/marker')
    await authz.comesTo({ key: marker.key }, '200')
    expect(await authz.outcome({ key: granted.key })).toBe('401 key_inactive')
    await grantAsDeclared(cluster, granted)
    await authz.comesTo({ key: granted.key, method: 'POST' }, '200')
  })

  test('lets a key do what the people behind it hold, says what they lost, and gives it back', async () => {
    const granted = await grantKey(cluster, 'team/capped', BOTH)
    const { key } = granted
    await authz.comesTo({ key, method: 'POST' }, '200')
    await grantAsDeclared(cluster, granted, { held: ['thing:read'], within: {} })
    await authz.comesTo({ key, method: 'POST' }, '403 creator_access_lost')
    expect(await authz.outcome({ key })).toBe('200')
    // what it does not ask for any more was not lost
    await editSpec(cluster, granted, { permissions: ['thing:read'] })
    await authz.comesTo({ key, method: 'POST' }, '403 missing_permission')
    await editSpec(cluster, granted, BOTH)
    await authz.comesTo({ key, method: 'POST' }, '403 creator_access_lost')
    await grantAsDeclared(cluster, granted)
    await authz.comesTo({ key, method: 'POST' }, '200')
  })

  test('ends a key by the clock', async () => {
    const soon = new Date(Date.now() + 2500).toISOString()
    const { key } = await grantKey(cluster, 'team/short', { expiresAt: soon })
    await authz.comesTo({ key }, '200')
    await authz.comesTo({ key }, '401 key_expired', 4000)
  })

  test('opens nothing by a Secret that Keyward did not write so, and goes on with the others', async () => {
    const spec = { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read'] }
    const made = await createApiKey(cluster, 'team/target', spec)
    const { uid } = made.metadata
    const granted = { generation: 1, spec, cap: aWholeCap(spec.permissions) }
    const at = (namespace: string) => ({ namespace, over: undefined })
    type Written = Record<string, unknown> & { metadata: Record<string, unknown> }
    const attempts: readonly [string, (written: Written) => Written, string?][] = [
      ['another type', (written) => ({ ...written, type: 'Opaque' })],
      [
        'another uid',
        (written) => ({
          ...written,
          metadata: { ...written.metadata, labels: { 'keyward.dev/api-key-uid': 'someone-else' } },
        }),
      ],
      [
        'a name of another key',
        (written) => ({ ...written, metadata: { ...written.metadata, name: 'kw-prod-made-up' } }),
      ],
      ['another Kubernetes namespace', (written) => written, 'team'],
    ]
    const keys: string[] = []
    for (const [, edit, namespace = 'keyward-system'] of attempts) {
      const { secret, key } = aMintedSecret('team/target', uid)
      keys.push(key)
      const written = edit(
        writeDigestSecret({ secret, granted, claimants: new Map(), handingTo: undefined }, at(namespace)) as Written,
      )
      await expectOk(cluster, 'POST', `/api/v1/namespaces/${namespace}/secrets`, written)
    }
    const foreign = aMintedSecret('team/target', 'someone-else')
    keys.push(foreign.key)
    const ofAnother = writeDigestSecret(
      { secret: foreign.secret, granted, claimants: new Map(), handingTo: undefined },
      at('keyward-system'),
    )
    await expectOk(cluster, 'POST', SECRETS_PATH, ofAnother)
    const marker = await grantKey(cluster, 'team/after-forged')
    await authz.comesTo({ key: marker.key }, '200')
    for (const key of keys) expect(await authz.outcome({ key })).toBe('401 invalid_key')
    expect(await authz.metric('keyward_objects_set_aside{kind="Secret"}')).toBe(2)
    expect(authz.output()).toContain('kw-prod-made-up')
    await expectOk(cluster, 'DELETE', `${SECRETS_PATH}/kw-prod-made-up`)
    await until(
      'it is not set aside any more',
      async () => (await authz.metric('keyward_objects_set_aside{kind="Secret"}')) === 1,
    )
    expect(digestSecretName(foreign.secret.keyId)).toMatch(/^kw-prod-[0-9a-f]{24}$/)
  })

  test('follows ProtectedApis and AccessNamespaces, of which the older has a host', async () => {
    const { key } = await grantKey(cluster, 'team/followed')
    await authz.comesTo({ key }, '200')
    const rival = THINGS.slice(THINGS.indexOf('---')).replace('name: things', 'name: a-rival').replace('GET]', 'PUT]')
    // as where it came while no webhook was there, which would have refused it
    await cluster.kubectl(['delete', 'validatingwebhookconfiguration', 'keyward'])
    const input = rival.replace('api.test]', 'api.test, rival.test]')
    const isLetThrough = async () => (await cluster.kubectl(['apply', '-f', '-'], { input })).status === 0
    await until('it is let through', isLetThrough)
    await authz.comesTo({ host: 'rival.test' }, '401 missing_credential')
    expect(await authz.outcome({ key })).toBe('200')
    expect(authz.output()).toContain('it already belongs to ProtectedApi team/things')
    await cluster.kubectl(['delete', 'protectedapi', '-n', 'team', 'a-rival'])
    await authz.comesTo({ host: 'rival.test' }, '403 unknown_host')
    await cluster.apply(THINGS.replace('permission: "thing:read"', 'permission: "thing:list"'))
    await authz.comesTo({ key }, '403 missing_permission')
    await cluster.apply(THINGS)
    await authz.comesTo({ key }, '200')
  })

  test('holds the same in a process that starts later, and stops in order', async () => {
    const { key } = await grantKey(cluster, 'team/later')
    const later = await startClusterAuthz(cluster)
    expect(await later.outcome({ key })).toBe('200')
    expect(await later.metric('keyward_keys')).toBe(await authz.metric('keyward_keys'))
    expect(await later.stop()).toBe(0)
  })
})

/** An API server asks no pod whose address is a loopback. */
const address = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address

describe.skipIf(address === undefined)('what authz answered to a request ID', () => {
  const PODS = '/api/v1/namespaces/keyward-system/pods'

  /** A pod for the API server only: what answers there is a process of this machine. */
  async function aPod(name: string, port: number): Promise<void> {
    const labels = { 'app.kubernetes.io/name': 'keyward', 'app.kubernetes.io/component': 'authz' }
    const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
    const ports = [{ name: 'metrics', containerPort: port }]
    const spec = {
      ...{ schedulerName: 'nobody', automountServiceAccountToken: false, serviceAccountName: 'keyward-authz' },
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'authz', image: 'none', ports, securityContext }],
    }
    await expectOk(cluster, 'POST', PODS, { metadata: { name, labels }, spec })
    const status = { podIP: address, podIPs: [{ ip: address }] }
    await expectOk(cluster, 'PATCH', `${PODS}/${name}/status`, { status }, 'application/merge-patch+json')
  }

  const explain = (...more: readonly string[]) =>
    runKeyward(['explain', '--request-id', 'r-1', '--kubeconfig', cluster.kubeconfig, ...more], cluster.dir)

  test('is told through the API server, to who may ask pods there', async () => {
    const { key, path, secret } = await grantKey(cluster, 'team/asked')
    const status = { keyId: secret.keyId, phase: 'Active', permissions: ['thing:read'], credential: { version: 1 } }
    await expectOk(cluster, 'PATCH', `${path}/status`, { status }, 'application/merge-patch+json')
    const answering = await startClusterAuthz(cluster, { args: ['--listen', '0.0.0.0'] })
    await aPod('authz-here', answering.ports.metrics)
    await aPod('authz-gone', 1)
    const question = { 'x-forwarded-method': 'POST', 'x-forwarded-uri': '/things?a=b', 'x-forwarded-host': 'api.test' }
    await ask(`${answering.checkUrl}/check/forwarded`, { key, headers: { ...question, 'x-request-id': 'r-1' } })

    const told = await explain()
    expect([told.code, told.err]).toEqual([
      0,
      expect.stringMatching(/^keyward explain: authz-gone could not be asked: the API server answered 50\d: .*\n$/),
    ])
    expect(
      told.out
        .replace(/, \d+s ago \(.*?\)/, '')
        .split('\n')
        .slice(0, 7),
    ).toEqual([
      '403 missing_permission, by authz-here (http)',
      '  request      POST api.test/things',
      `  key          ${secret.keyId} of team/asked (production)`,
      '  why          thing:write: not among the permissions of the key',
      '',
      expect.stringMatching(/^The same, asked now/),
      '403 missing_permission',
    ])

    const vera = ['--as', 'vera']
    const first = await explain(...vera)
    expect([first.code, first.err]).toEqual([
      1,
      expect.stringContaining('you may not list pods in the Kubernetes namespace keyward-system'),
    ])
    const role = (rules: string) =>
      cluster.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: asks-authz, namespace: keyward-system}
rules: [${rules}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: asks-authz, namespace: keyward-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: asks-authz}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: vera}]
`)
    const [, pods = '', proxy = ''] = /would allow it: (\{.*\}) and (\{.*\})\n/.exec(first.err) ?? []
    await role(pods)
    const second = await explain(...vera)
    expect([second.code, second.err]).toEqual([
      1,
      expect.stringContaining('authz-here could not be asked: you may not ask it through the API server'),
    ])
    await role(`${pods}, ${proxy}`)
    const third = await explain(...vera)
    expect([third.code, third.out.split(',')[0]]).toEqual([0, '403 missing_permission'])
    expect(third.out).toContain('The same, asked now: vera may not list apikeys')
    expect(await answering.stop()).toBe(0)
  })
})

describe('a start of authz on a cluster', () => {
  test('without its permissions is not ready and says which are missing', async () => {
    const serviceAccount = await cluster.serviceAccount('nobody')
    const poor = await startClusterAuthz(cluster, { serviceAccount, ready: false })
    const text = await until(
      'it says what is missing',
      async () => {
        const answer = await ask(`${poor.adminUrl}/readyz`).catch(() => undefined)
        return answer?.text.includes('permission') ? answer : undefined
      },
      10_000,
    )
    expect(text.status).toBe(503)
    expect(text.text).toContain(
      'the permission to list and watch secrets in the Kubernetes namespace keyward-system is missing',
    )
    expect(text.text).toContain('the permission to list and watch apikeys.keyward.dev in the whole cluster is missing')
    expect(await poor.outcome({ path: '/healthz' })).toBe('503 unavailable')
    await poor.kill()
  })

  test('names a folder and a cluster at once, or no cluster at all: says so and exits 2', () => {
    const run = (...args: readonly string[]) => {
      const main = join(import.meta.dirname, '../../src/main.ts')
      const env = { ...process.env, KUBERNETES_SERVICE_HOST: '', KUBECONFIG: '/nowhere', HOME: '/nowhere' }
      return spawnSync(process.execPath, [main, 'authz', ...args], { encoding: 'utf8', timeout: 20_000, env })
    }
    const both = run('--manifests', '/tmp', '--data', '/tmp', '--kubeconfig', '/nowhere')
    expect([both.status, both.stderr]).toEqual([2, expect.stringContaining('keys come from one of them')])
    const none = run()
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining('--kubeconfig')])
  })
})
