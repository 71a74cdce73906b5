/** Very many digests that are there before authz is: how soon it is ready, and how much memory it takes. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, startCluster } from './cluster.ts'
import { startClusterAuthz } from './cluster-authz.ts'
import { SECRETS_PATH } from './granted-keys.ts'
import { storeManyKeys } from './stored-keys.ts'
import { THINGS } from './things.ts'
import { until } from './until.ts'

export type AuthzScale = {
  readonly readyS: number
  /** What the same lists take without anything being made of them, just before. */
  readonly bareS: number
  /** When it is ready, the most there ever was until then, and half a minute later. */
  readonly rssMiB: number
  readonly peakMiB: number
  readonly laterMiB: number
  /** Of keys drawn from all of them. */
  readonly outcomes: readonly string[]
  readonly inForce: number | undefined
}

const SAMPLES = 50
const API_KEYS_PATH = '/apis/keyward.dev/v1alpha1/apikeys'

export async function measureAuthzScale(count: number): Promise<AuthzScale> {
  const cluster = await startCluster({ admission: 'none' })
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  const keys = await storeManyKeys(cluster, count)
  const samples = keys.filter(({ fromAnywhere }, n) => fromAnywhere && n % Math.ceil(count / SAMPLES) === 0)

  await untilServed(cluster)
  const bareAt = performance.now()
  await Promise.all([API_KEYS_PATH, SECRETS_PATH].map((path) => listBare(cluster, path)))
  const bareS = (performance.now() - bareAt) / 1000
  const startedAt = performance.now()
  const authz = await startClusterAuthz(cluster, { ready: false, readyWithinMs: 60_000 })
  await authz.ready()
  const readyS = (performance.now() - startedAt) / 1000
  const [rssMiB, peakMiB] = [statusOf(authz.process.pid, 'VmRSS'), statusOf(authz.process.pid, 'VmHWM')]
  const outcomes = await Promise.all(samples.map(({ key }) => authz.outcome({ key })))
  await sleep(30_000)
  const laterMiB = statusOf(authz.process.pid, 'VmRSS')
  return { readyS, bareS, rssMiB, peakMiB, laterMiB, outcomes, inForce: await authz.metric('keyward_keys') }
}

/** What was stored behind its back the API server has to read first. */
const untilServed = (cluster: Cluster) =>
  until(
    'the API server has seen all of it',
    async () => {
      const asked = performance.now()
      await cluster.request('GET', `${API_KEYS_PATH}?limit=1`)
      await cluster.request('GET', `${SECRETS_PATH}?limit=1`)
      return performance.now() - asked < 500
    },
    180_000,
  )

/** Page by page, as authz does. */
async function listBare(cluster: Cluster, path: string): Promise<void> {
  for (let token: string | undefined = ''; token !== undefined; ) {
    const { body } = await cluster.request('GET', `${path}?limit=500${token && `&continue=${token}`}`)
    token = (body as { readonly metadata: { readonly continue?: string } }).metadata.continue || undefined
  }
}

/** The process may be below a helper that ends it with the tests. */
function statusOf(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
}
