/** How long an operator takes to answer the webhooks, asked as the API server asks: over TLS, at a steady pace, in many people's names. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Cluster } from './cluster.ts'
import type { Operator } from './operator.ts'
import { until } from './until.ts'

export type AdmissionLoad = {
  readonly admissions: number
  /** In turn. An answer is remembered for a second: whoever comes back later than that is asked about anew. */
  readonly people: number
  readonly aSecond: number
}

export type AdmissionFigures = {
  readonly stampMs: readonly number[]
  readonly grantsMs: readonly number[]
  /** Of the API server. */
  readonly reviews: number
}

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
type Answer = { readonly allowed: boolean; readonly patch?: string; readonly status?: unknown }
type Asked = { readonly path: '/mutate' | '/validate'; readonly person: string; readonly metadata: Metadata }
type Call = (asked: Asked) => Promise<Answer & { readonly ms: number }>

const aKey = (metadata: Metadata) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata,
  spec: { accessNamespace: 'acme', environment: 'production', permissions: PERMISSIONS },
})

const callerAt =
  (port: number, dispatcher: Agent): Call =>
  async ({ path, person, metadata }) => {
    const body = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: `review of ${metadata.name}`,
        kind: { group: 'keyward.dev', version: 'v1alpha1', kind: 'ApiKey' },
        namespace: 'team-0',
        name: metadata.name,
        operation: 'CREATE',
        userInfo: { username: person, groups: ['devs', 'system:authenticated'] },
        object: aKey(metadata),
        oldObject: null,
      },
    })
    const began = performance.now()
    const answer = await request(`https://127.0.0.1:${port}${path}?timeout=3s`, {
      ...{ method: 'POST', dispatcher, body },
      headers: { 'content-type': 'application/json' },
    })
    const { response } = (await answer.body.json()) as { readonly response: Answer }
    return { ...response, ms: performance.now() - began }
  }

async function bundleOf(cluster: Pick<Cluster, 'request'>): Promise<string> {
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

/** A creation is two calls, one after the other: the stamp, and what must be granted. */
async function create(call: Call, name: string, person: string) {
  const metadata = { name, namespace: 'team-0' }
  const stamped = await call({ path: '/mutate', person, metadata })
  const annotations = annotationsIn(stamped.patch)
  const created = { ...metadata, creationTimestamp: new Date().toISOString(), annotations }
  return { stamped, judged: await call({ path: '/validate', person, metadata: created }) }
}

/** @param operator one that has nothing else to do by now */
export async function measureAdmission(
  cluster: Pick<Cluster, 'request' | 'apply'>,
  { webhooksPort, metric }: Pick<Operator, 'webhooksPort' | 'metric'>,
  { admissions, people, aSecond }: AdmissionLoad,
): Promise<AdmissionFigures> {
  await cluster.apply(ROLES)
  const agent = new Agent({ connect: { ca: await bundleOf(cluster) } })
  const call = callerAt(webhooksPort, agent)
  // an API server goes by a new binding some milliseconds after it has answered
  const isGranted = async () => (await create(call, 'first', 'first@example.com')).judged.allowed
  await until('the roles are in force', isGranted, 10_000)
  const reviewed = async () => (await metric('keyward_access_reviews_total{lane="admission"}')) ?? 0
  const before = await reviewed()
  const [stampMs, grantsMs]: [number[], number[]] = [[], []]
  for (let i = 0; i < admissions; i++) {
    const due = performance.now() + 1000 / aSecond
    const { stamped, judged } = await create(call, `new-${i}`, `person-${i % people}@example.com`)
    if (!(stamped.allowed && judged.allowed)) throw new Error(JSON.stringify(judged.status ?? stamped.status))
    stampMs.push(stamped.ms)
    grantsMs.push(judged.ms)
    await sleep(Math.max(0, due - performance.now()))
  }
  const reviews = (await reviewed()) - before
  await agent.close()
  return { stampMs, grantsMs, reviews }
}

const sortedOf = (times: readonly number[]): readonly number[] => times.toSorted((a, b) => a - b)

/** @param share 0.99: all but one in a hundred took no longer */
export const quantile = (times: readonly number[], share: number): number =>
  sortedOf(times)[Math.floor(times.length * share)] ?? 0

const told = (what: string, times: readonly number[]): string => {
  const sorted = sortedOf(times)
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  return `${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`
}

export const tellAdmission = ({ stampMs, grantsMs, reviews }: AdmissionFigures): string =>
  `${told('stamp', stampMs)}; ${told('grants', grantsMs)}; ${reviews} reviews`
