/** How long an operator takes to answer the webhooks beside two thousand keys: as the API server calls it, over TLS. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { WEBHOOKS } from '../support/control-plane.ts'
import { importKeys } from '../support/many-keys.ts'
import { startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'
import { untilAdmitted, webhooksAt } from '../support/webhooks-at.ts'

const KEYS = 2000
const ADMISSIONS = 600
const PEOPLE = 100
const A_SECOND = 20
const P99_WITHIN_MS = 20

/** What each may grant is found only where the access namespace is named: two questions a permission. */
const PERMISSIONS = ['customer:read', 'license:manage', 'telemetry:write']
const ROLES = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acme}
rules:
  - {apiGroups: [keyward.dev], resources: [accessnamespaces/permissions], resourceNames: [acme], verbs: ${JSON.stringify(PERMISSIONS)}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acme}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}]
`

type Metadata = Readonly<Record<string, unknown>>
const aKey = (metadata: Metadata) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata,
  spec: { accessNamespace: 'acme', environment: 'production', permissions: PERMISSIONS },
})

type Review = { readonly response: { readonly allowed: boolean; readonly patch?: string; readonly status?: unknown } }

/** The people who ask, and whom they ask. */
function caller(port: number, ca: string) {
  const trusting = new Agent({ connect: { ca } })
  afterAll(() => trusting.close())
  return async (path: string, i: number, metadata: Metadata): Promise<Review['response'] & { readonly ms: number }> => {
    const body = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: `r-${i}`,
        kind: { group: 'keyward.dev', version: 'v1alpha1', kind: 'ApiKey' },
        namespace: 'team-0',
        name: metadata.name,
        operation: 'CREATE',
        userInfo: { username: `person-${i % PEOPLE}@example.com`, groups: ['devs', 'system:authenticated'] },
        object: aKey(metadata),
        oldObject: null,
      },
    })
    const began = performance.now()
    const answer = await request(`https://127.0.0.1:${port}${path}?timeout=3s`, {
      ...{ method: 'POST', dispatcher: trusting, body },
      headers: { 'content-type': 'application/json' },
    })
    const { response } = (await answer.body.json()) as Review
    return { ...response, ms: performance.now() - began }
  }
}

async function bundleOf(cluster: Cluster): Promise<string> {
  const path = '/api/v1/namespaces/keyward-operator/secrets/keyward-webhook-certificates'
  const { data } = (await cluster.request('GET', path)).body as { readonly data: Readonly<Record<string, string>> }
  return Buffer.from(data['ca-bundle.crt'] ?? '', 'base64').toString()
}

function annotationsIn(patch: string | undefined): Readonly<Record<string, unknown>> {
  const steps = JSON.parse(Buffer.from(patch ?? '', 'base64').toString()) as readonly { path: string; value: unknown }[]
  return Object.fromEntries(
    steps
      .filter(({ value }) => typeof value === 'string')
      .map(({ path, value }) => [path.replace('/metadata/annotations/', '').replaceAll('~1', '/'), value]),
  )
}

const told = (what: string, times: readonly number[]): string => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  return `${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`
}

const p99 = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0

test(`${ADMISSIONS} admissions of ${PEOPLE} people beside ${KEYS} keys take 20 ms at most, but for one in a hundred`, async () => {
  const cluster = await startCluster({ admission: 'elsewhere' })
  await cluster.apply(ROLES)
  const operator = await startOperator(cluster)
  const { webhooksPort: port } = operator
  await cluster.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: '127.0.0.1', port }))
  await operator.leads()
  await untilAdmitted(cluster)
  await importKeys(cluster, KEYS)
  await until('all are settled', async () => (await operator.metric('keyward_operator_queue_depth')) === 0, 60_000)

  const call = caller(port, await bundleOf(cluster))
  const [stamping, judging]: [number[], number[]] = [[], []]
  for (let i = 0; i < ADMISSIONS; i++) {
    const due = performance.now() + 1000 / A_SECOND
    const name = `new-${i}`
    const stamped = await call('/mutate', i, { name, namespace: 'team-0' })
    const metadata = {
      ...{ name, namespace: 'team-0', creationTimestamp: new Date().toISOString() },
      annotations: annotationsIn(stamped.patch),
    }
    const judged = await call('/validate', i, metadata)
    expect([stamped.allowed, judged.allowed, judged.status]).toEqual([true, true, undefined])
    stamping.push(stamped.ms)
    judging.push(judged.ms)
    await sleep(Math.max(0, due - performance.now()))
  }
  const reviews = await operator.metric('keyward_access_reviews_total{lane="admission"}')
  process.stdout.write(
    `admission beside ${KEYS} keys, ${A_SECOND} a second: ${told('stamp', stamping)}; ${told('grants', judging)}; ${reviews} reviews\n`,
  )
  expect(p99(stamping)).toBeLessThanOrEqual(P99_WITHIN_MS)
  expect(p99(judging)).toBeLessThanOrEqual(P99_WITHIN_MS)
})
