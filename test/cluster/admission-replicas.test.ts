/** Admission by several replicas of `keyward operator` behind a Service: replaced, killed, stopped and gone, and what people see of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { isForbidden } from '../../src/kube/api-error.ts'
import { create } from '../../src/kube/calls.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { API_KEYS } from '../../src/kube/objects.ts'
import { type Balancer, startBalancer } from '../support/balancer.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { WEBHOOKS } from '../support/control-plane.ts'
import { accessOf, clientOf } from '../support/kube-client.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { temporaryFolder } from '../support/process.ts'
import { until } from '../support/until.ts'
import { untilAdmitted, webhooksAt } from '../support/webhooks-at.ts'

let cluster: Cluster
let balancer: Balancer
let replicas: Operator[]
/** May write ApiKeys, and grant nothing. */
let weak: KubeClient

const KEYS = '/apis/keyward.dev/v1alpha1/namespaces/team-web/apikeys'
const WEAK = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writes}
rules: [{apiGroups: [keyward.dev], resources: [apikeys], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writes}
subjects: [{kind: ServiceAccount, name: weak, namespace: team-web}]
`

const aKey = (name: string) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'] },
})

/** As an administrator, who may grant everything. */
const made = (name: string, query = '') => cluster.request('POST', `${KEYS}${query}`, aKey(name))
const edit = (name: string, spec: object) =>
  cluster.request('PATCH', `${KEYS}/${name}`, { spec }, 'application/merge-patch+json')
const messageOf = ({ body }: { readonly body: unknown }) => String((body as { message?: unknown }).message)
const stampOf = ({ body }: { readonly body: unknown }) =>
  (body as { metadata?: { annotations?: Record<string, string> } }).metadata?.annotations

const replica = (args: readonly string[] = []) => startOperator(cluster, { drainS: 1, args })

/** From now on the Service has these. */
function serve(now: readonly Operator[]): Promise<boolean> {
  replicas = [...now]
  balancer.use(now.map(({ webhooksPort: port, adminUrl }) => ({ port, readyUrl: `${adminUrl}/readyz` })))
  return until('all of them are ready', () => balancer.ready().length === now.length, 20_000)
}

const untilLeftOut = ({ webhooksPort }: Operator) =>
  until('nobody is sent to it any more', () => !balancer.ready().includes(webhooksPort))

beforeAll(async () => {
  cluster = await startCluster({ admission: 'elsewhere' })
  balancer = await startBalancer()
  await cluster.apply('{apiVersion: v1, kind: Namespace, metadata: {name: team-web}}')
  await cluster.apply(WEAK)
  weak = clientOf(accessOf(await cluster.serviceAccount('weak', 'team-web'), cluster))
  await cluster.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: '127.0.0.1', port: balancer.port }))
  await serve(await Promise.all([replica(), replica()]))
  await untilAdmitted(cluster)
})

type Load = { readonly stop: () => Promise<{ readonly asked: number; readonly wrong: readonly string[] }> }

/** Twenty creations a second: each is made and stamped where somebody may, and refused for that where somebody may not. */
function underLoad(prefix: string): Load {
  const wrong: string[] = []
  const begun: Promise<void>[] = []
  const load = { on: true }
  const allowed = async (name: string) => {
    const answer = await made(name)
    if (answer.status !== 201 || stampOf(answer)?.['keyward.dev/creator'] !== 'admin') wrong.push(messageOf(answer))
  }
  const refused = async (name: string) => {
    const outcome = await create(weak, API_KEYS, { namespace: 'team-web', object: aKey(name) }).catch(isForbidden)
    if (outcome !== true) wrong.push(`${name} was not refused as it should be`)
  }
  const loading = (async () => {
    for (let i = 0; load.on; i++) {
      begun.push(i % 2 === 0 ? allowed(`${prefix}-${i}`) : refused(`${prefix}-${i}`))
      await sleep(50)
    }
  })()
  return {
    stop: async () => {
      load.on = false
      await loading
      await Promise.all(begun)
      return { asked: begun.length, wrong }
    },
  }
}

test('every replica answers, not only the one that leads', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, i) => made(`both-${i}`, '?dryRun=All')))
  for (const { metric } of replicas) {
    expect(await metric('keyward_admission_requests_total{webhook="mutate",answer="allowed"}')).toBeGreaterThan(0)
  }
  const leading = await Promise.all(replicas.map(({ metric }) => metric('keyward_operator_leading')))
  expect(leading.toSorted()).toEqual([0, 1])
})

test('replacing all of them one by one under twenty creations a second goes wrong for nobody', async () => {
  const load = underLoad('rolling')
  for (const [i, old] of replicas.entries()) {
    const fresh = await replica()
    await serve([...replicas.slice(0, i), fresh, ...replicas.slice(i)])
    const exited = old.stop()
    await untilLeftOut(old)
    await serve(replicas.filter((one) => one !== old))
    expect(await exited).toBe(0)
  }
  const { asked, wrong } = await load.stop()
  expect(wrong).toEqual([])
  expect(asked).toBeGreaterThan(40)
})

test('one that is killed is not missed once the Service knows', async () => {
  const [dead, left] = replicas as [Operator, Operator]
  await dead.kill()
  await untilLeftOut(dead)
  await untilAdmitted(cluster)
  const load = underLoad('killed')
  await sleep(1000)
  const { wrong } = await load.stop()
  await serve([left, await replica()])
  expect(wrong).toEqual([])
})

test('where replicas hang, the API server gives up after three seconds and says why; they go on where they were', async () => {
  for (const { process } of replicas) process.signal('SIGSTOP')
  const began = performance.now()
  const { status, body } = await made('hung', '?dryRun=All')
  const tookMs = performance.now() - began
  for (const { process } of replicas) process.signal('SIGCONT')
  expect([status, tookMs > 2500, tookMs < 5000]).toEqual([500, true, true])
  expect(messageOf({ body })).toMatch(
    /^Internal error occurred: failed calling webhook "stamp\.keyward\.dev": .*(context deadline exceeded|Client\.Timeout)/,
  )
  await until('they answer again', () => balancer.ready().length === 2, 20_000)
  await untilAdmitted(cluster)
})

test('a Secret with certificates that somebody deletes is made anew, and exchanged without a restart', async () => {
  const shown = () => Promise.all(replicas.map(({ webhooksPort }) => fingerprintAt(webhooksPort)))
  const [before] = await shown()
  const load = underLoad('exchanged')
  await cluster.request('DELETE', '/api/v1/namespaces/keyward-operator/secrets/keyward-webhook-certificates')
  await until(
    'all of them show another one',
    async () => {
      const now = new Set(await shown())
      return now.size === 1 && !now.has(before ?? '')
    },
    30_000,
  )
  await sleep(500)
  expect((await load.stop()).wrong).toEqual([])
})

describe('while none is there', () => {
  beforeAll(async () => {
    for (const name of ['kept', 'doomed']) expect((await made(name)).status).toBe(201)
    await Promise.all(replicas.map(({ kill }) => kill()))
    await until('the Service knows', () => balancer.ready().length === 0)
  })

  test('nothing is made, and it is said why', async () => {
    const refusal = await made('new')
    expect(refusal.status).toBe(500)
    expect(messageOf(refusal)).toContain('failed calling webhook "stamp.keyward.dev"')
    expect(messageOf(await edit('kept', { permissions: ['a:b', 'a:c'] }))).toContain(
      'failed calling webhook "apikeys.keyward.dev"',
    )
  })

  test('a key is suspended, revoked and deleted as ever', async () => {
    for (const state of ['Suspended', 'Revoked']) expect((await edit('kept', { state })).status).toBe(200)
    expect((await cluster.request('DELETE', `${KEYS}/doomed`)).status).toBe(200)
  })
})

test('certificates that somebody else renews are served, and exchanged without a restart', async () => {
  const folder = temporaryFolder()
  const authority = await makeAuthority()
  const first = await authority.issue(['127.0.0.1'], { folder })
  const operator = await replica(['--webhook-certificate', folder])
  await serve([operator])
  // as the CA injector of cert-manager does
  const caBundle = Buffer.from(authority.ca).toString('base64')
  for (const kind of ['mutating', 'validating']) await inject(`${kind}webhookconfigurations`, caBundle)
  await operator.leads()
  await untilAdmitted(cluster)
  const before = await fingerprintAt(operator.webhooksPort)
  const second = await authority.issue(['127.0.0.1'])
  for (const [file, text] of [
    ['tls.crt', second.cert],
    ['tls.key', second.key],
  ] as const) {
    writeFileSync(join(folder, file), text)
  }
  await until('it shows the other one', async () => (await fingerprintAt(operator.webhooksPort)) !== before)
  expect((await made('by-another', '?dryRun=All')).status).toBe(201)
  expect(second.cert).not.toBe(first.cert)
  expect(await bundlesIn('mutatingwebhookconfigurations'), 'nobody writes over it').toEqual([caBundle])
  expect(await operator.metric('keyward_webhook_certificate_expiry_timestamp_seconds')).toBeGreaterThan(
    Date.now() / 1000,
  )
})

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1'
type Configuration = {
  readonly webhooks: readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }[]
}

const configuration = async (kind: string): Promise<Configuration> =>
  (await cluster.request('GET', `${CONFIGURATIONS}/${kind}/keyward`)).body as Configuration

const bundlesIn = async (kind: string) =>
  (await configuration(kind)).webhooks.map(({ clientConfig }) => clientConfig.caBundle)

async function inject(kind: string, caBundle: string): Promise<void> {
  const { webhooks } = await configuration(kind)
  const patch = webhooks.map((_, i) => ({ op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: caBundle }))
  const path = `${CONFIGURATIONS}/${kind}/keyward`
  expect((await cluster.request('PATCH', path, patch, 'application/json-patch+json')).status).toBe(200)
}

function fingerprintAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
  })
}
