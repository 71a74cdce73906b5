/** ApiKeys on a cluster, as their owners see them, and what is kept of them, as nobody but Keyward sees it. */
import { type KeySecret, parseKeySecret } from '../../src/resources/key-secret.ts'
import type { Cluster } from './cluster.ts'
import { until } from './until.ts'

type Requests = Pick<Cluster, 'request'>

export type Condition = {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

export type KeyObject = {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly generation: number
  }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: {
    readonly phase?: string
    readonly keyId?: string
    readonly permissionsSummary?: string
    readonly observedGeneration?: number
    readonly credential?: { readonly version: number; readonly previousValidUntil?: string }
    readonly conditions?: readonly Condition[]
  }
}

/** Which ApiKey: its name in `default`, or `namespace/name`. */
type Which = string

const GROUP = '/apis/keyward.dev/v1alpha1'

const refOf = (which: Which): { readonly namespace: string; readonly name: string } => {
  const [first = '', second] = which.split('/')
  return second === undefined ? { namespace: 'default', name: first } : { namespace: first, name: second }
}

const pathOf = (which: Which): string => {
  const { namespace, name } = refOf(which)
  return `${GROUP}/namespaces/${namespace}/apikeys/${name}`
}

/** Applies an ApiKey that may read workspaces; the test names what matters to it. */
export async function applyKey(
  cluster: Requests,
  which: Which,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<KeyObject> {
  const answer = await cluster.request(
    'PATCH',
    `${pathOf(which)}?fieldManager=test&force=true`,
    {
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'ApiKey',
      metadata: refOf(which),
      spec: { accessNamespace: 'acme', environment: 'production', permissions: ['workspace:read'], ...spec },
    },
    'application/apply-patch+yaml',
  )
  if (answer.status > 201) throw new Error(`${which} was refused: ${JSON.stringify(answer.body)}`)
  return answer.body as KeyObject
}

/** Changes fields of its spec; null takes one away. */
export async function editKey(
  cluster: Requests,
  which: Which,
  spec: Readonly<Record<string, unknown>>,
): Promise<KeyObject> {
  const answer = await cluster.request('PATCH', pathOf(which), { spec }, 'application/merge-patch+json')
  if (answer.status !== 200) throw new Error(`${which} was refused: ${JSON.stringify(answer.body)}`)
  return answer.body as KeyObject
}

export async function getKey(cluster: Requests, which: Which): Promise<KeyObject | undefined> {
  const { status, body } = await cluster.request('GET', pathOf(which))
  return status === 200 ? (body as KeyObject) : undefined
}

export async function deleteKey(cluster: Requests, which: Which): Promise<void> {
  await cluster.request('DELETE', pathOf(which))
}

export const conditionOf = (key: KeyObject | undefined, type: string): Condition | undefined =>
  key?.status?.conditions?.find((condition) => condition.type === type)

/** Waits until Ready has this reason, and the status is about the newest spec. */
export function untilReady(cluster: Requests, which: Which, reason: string, withinMs = 10_000): Promise<KeyObject> {
  return until(
    `${which} is ${reason}`,
    async () => {
      const key = await getKey(cluster, which)
      const current = key?.status?.observedGeneration === key?.metadata.generation
      return current && conditionOf(key, 'Ready')?.reason === reason ? key : undefined
    },
    withinMs,
  )
}

export type Kept = {
  readonly name: string
  readonly resourceVersion: string
  /** undefined: it can't be read. */
  readonly secret: KeySecret | undefined
}

type SecretObject = {
  readonly metadata: { readonly name: string; readonly resourceVersion: string }
  readonly type: string
  readonly data?: Readonly<Record<string, string>>
}

/** Everything that is kept of keys. */
export async function keptKeys(cluster: Requests): Promise<readonly Kept[]> {
  const { body } = await cluster.request(
    'GET',
    '/api/v1/namespaces/keyward-system/secrets?fieldSelector=type%3Dkeyward.dev%2Fkey-digest',
  )
  return (body as { readonly items: readonly SecretObject[] }).items.map(({ metadata, data }) => {
    const read = parseKeySecret(Buffer.from(data?.record ?? '', 'base64').toString('utf8'))
    return { ...metadata, secret: read.ok ? read.value : undefined }
  })
}

/** What is kept of one ApiKey by its name, whichever uid it has or had. */
export async function keptOf(cluster: Requests, which: Which): Promise<readonly KeySecret[]> {
  const { namespace, name } = refOf(which)
  const kept = await keptKeys(cluster)
  return kept.flatMap(({ secret }) => (secret?.name === `${namespace}/${name}` ? [secret] : []))
}

export type Credential = { readonly id: string; readonly secret: string; readonly key: string }

/** What lies in the Secret of a workload; undefined: there is none, or it holds nothing. */
export async function workloadSecret(cluster: Requests, which: Which): Promise<Credential | undefined> {
  const { namespace, name } = refOf(which)
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`)
  const { data } = body as SecretObject
  if (status !== 200 || data?.key === undefined) return undefined
  const text = (field: string) => Buffer.from(data[field] ?? '', 'base64').toString('utf8')
  return { id: text('id'), secret: text('secret'), key: text('key') }
}

type EventObject = {
  readonly reason: string
  readonly type: string
  readonly note: string
  readonly regarding: { readonly kind: string; readonly name: string }
  readonly series?: { readonly count: number }
}

/** Events of a Kubernetes namespace, newest state. */
export async function eventsOf(cluster: Requests, namespace = 'default'): Promise<readonly EventObject[]> {
  const { body } = await cluster.request('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
  return (body as { readonly items: readonly EventObject[] }).items
}
