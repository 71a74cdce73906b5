/** The commands' cluster, on a real API server: whatever it refuses is thrown with its own words, for the eyes of whoever asked. */
import { readFileSync } from 'node:fs'
import { Trouble } from '../core/trouble.ts'
import type { Access } from '../kube/access.ts'
import { ApiError, isConflict } from '../kube/api-error.ts'
import { create, get, list, mergePatch, remove } from '../kube/calls.ts'
import { type KubeClient, type KubeRequest, makeClient } from '../kube/client.ts'
import { openKube, type Surroundings } from '../kube/config.ts'
import {
  ACCESS_NAMESPACES,
  API_KEYS,
  apiVersionOf,
  CLAIMS,
  type KubeDraft,
  type KubeObject,
  NAMESPACES,
  PROTECTED_APIS,
  pathOf,
  type Resource,
  SECRETS,
} from '../kube/objects.ts'
import { policyLook } from '../kube/policy-look.ts'
import type { Cluster, Draft, Heard, PodPort, ReadKind, Rule, Stored } from './cluster.ts'
import type { Opening } from './port-flags.ts'
import { Refused, wrongly } from './refused.ts'
import { stopOf, strangerStop, type Way } from './trouble-words.ts'

/** Of core/v1, which can be asked for those about one object. */
const CORE_EVENTS: Resource = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true }

const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true }

const RESOURCES: Readonly<Record<ReadKind, Resource>> = {
  apikeys: API_KEYS,
  apikeyclaims: CLAIMS,
  accessnamespaces: ACCESS_NAMESPACES,
  protectedapis: PROTECTED_APIS,
  namespaces: NAMESPACES,
  events: CORE_EVENTS,
  pods: PODS,
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export type OpenParts = Surroundings & { readonly jitter: () => number }

/** Asks nothing yet. Throws a Stop where flags and kubeconfig lead to no cluster. */
export async function openCluster(opening: Opening, { env, steadyMs, jitter }: OpenParts): Promise<Cluster> {
  const access =
    opening.server === undefined ? await byKubeconfig(opening, { env, steadyMs }) : byServer(opening.server, opening)
  const client = makeClient({ access: impersonating(access, opening), steadyMs, jitter })
  const heard: Said = new WeakMap()
  const isNamed = opening.server !== undefined
  const about = { namespace: access.namespace ?? 'default', server: access.server, isNamed, heard }
  return clusterOf(hearing(client, opening.requestTimeoutMs, heard), about)
}

async function byKubeconfig({ kubeconfig, context }: Opening, around: Surroundings): Promise<Access> {
  const opened = await openKube({ kubeconfig, context, serviceAccount: SERVICE_ACCOUNT, namespace: undefined }, around)
  if (opened.ok) return opened.kube.access
  const named = kubeconfig !== undefined || context !== undefined
  const other = named ? [] : ['or name an API server, or a standalone, with --server']
  // they are no variables of these commands
  throw wrongly([...opened.problems, ...other].join('\n').replaceAll(/ \(KEYWARD_[A-Z_]+\)/g, ''))
}

function byServer(server: string, { tokenFile, certificateAuthority }: Opening): Access {
  const headers = tokenFile === undefined ? {} : { authorization: `Bearer ${tokenIn(tokenFile)}` }
  const tls = certificateAuthority === undefined ? {} : { ca: textIn('--certificate-authority', certificateAuthority) }
  return { server, namespace: undefined, proxy: undefined, credentials: async () => ({ headers, tls }) }
}

function tokenIn(file: string): string {
  const token = textIn('--token-file', file).trim()
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw wrongly(`--token-file: there is no token in ${file}`)
}

function textIn(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw wrongly(`${flag}: ${file} can't be read`)
  }
}

/** Whom the API server is to take us for; that it may be asked is its own affair. */
function impersonating(access: Access, { as, asGroups }: Opening): Access {
  if (as === undefined) return access
  return {
    ...access,
    credentials: async (fresh) => {
      const { headers, tls } = await access.credentials(fresh)
      const groups: Record<string, string[]> = asGroups.length === 0 ? {} : { 'impersonate-group': [...asGroups] }
      return { headers: { ...headers, 'impersonate-user': as, ...groups }, tls }
    },
  }
}

/** What the API server said beside each refusal; it is kept only as long as the refusal itself. */
type Said = WeakMap<ApiError, unknown>

function hearing(client: KubeClient, timeoutMs: number, heard: Said): KubeClient {
  const send = async (request: KubeRequest): Promise<unknown> => {
    let said: unknown
    const refused = (body: unknown): void => {
      said = body
    }
    try {
      // a person is told at once, and tries again; what waits for something does so by itself
      return await client.send({ ...request, timeoutMs, refused, once: true })
    } catch (error) {
      if (error instanceof ApiError) heard.set(error, said)
      throw error
    }
  }
  return { ...client, send }
}

function refusedOf({ status, reason }: ApiError, said: unknown): Refused {
  const { message, details } = (said ?? {}) as {
    readonly message?: unknown
    readonly details?: { readonly causes?: unknown }
  }
  const causes = Array.isArray(details?.causes) ? (details.causes as readonly Readonly<Record<string, unknown>>[]) : []
  return new Refused({
    status,
    reason,
    message: typeof message === 'string' ? message : '',
    causes: causes.map((cause) => ({ field: wordOf(cause?.field), message: wordOf(cause?.message) })),
  })
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '')

type About = Way & { readonly namespace: string; readonly heard: Said }

function clusterOf(client: KubeClient, { namespace, ...about }: About): Cluster {
  const asked = explaining(client, about)
  const raw = (path: string, body: object) => asked((its) => its.send({ method: 'POST', path, body }))
  return {
    namespace,
    get: (kind, ref) => asked((its) => get(its, RESOURCES[kind], placed(RESOURCES[kind], ref))),
    list: (kind, { namespace: at, labelSelector, fieldSelector }) =>
      asked(async (its) => (await list(its, RESOURCES[kind], { namespace: at, labelSelector, fieldSelector })).items),
    create: (kind, at, { dryRun, ...object }) =>
      asked((its) =>
        dryRun === true
          ? tried(its, RESOURCES[kind], { ...at, object })
          : create(its, RESOURCES[kind], { namespace: at.namespace, object: drafted(object) }),
      ),
    patchKey: (ref, patch, trial) => asked((its) => mergePatch(trying(its, trial?.dryRun), API_KEYS, { ref, patch })),
    removeClaim: (ref, was) => asked((its) => removed(its, ref, was)),
    createSecret: (ref, data, trial) => asked((its) => createSecret(trying(its, trial?.dryRun), ref, data)),
    mayGrant: async ({ accessNamespace, permission }) => {
      const resourceAttributes = {
        group: 'keyward.dev',
        resource: 'accessnamespaces',
        subresource: 'permissions',
        verb: permission,
        name: accessNamespace,
      }
      const answer = await raw(`${REVIEWS}/selfsubjectaccessreviews`, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      })
      return (answer as { readonly status?: { readonly allowed?: unknown } } | null)?.status?.allowed === true
    },
    rules: async (at) => {
      const answer = await raw(`${REVIEWS}/selfsubjectrulesreviews`, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace: at },
      })
      const { resourceRules } =
        (answer as { readonly status?: { readonly resourceRules?: unknown } } | null)?.status ?? {}
      return Array.isArray(resourceRules) ? resourceRules.map(ruleOf) : []
    },
    throughPod: (pod, path) => asked((its) => throughPod(its, { pod, path, heard: about.heard })),
    policyOf: (apis, namespaces) => policyLook(apis.map(listedObject), namespaces.map(listedObject)),
    close: client.close,
  }
}

const REVIEWS = '/apis/authorization.k8s.io/v1'

const wordsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []

const ruleOf = (rule: Readonly<Record<string, unknown>>): Rule => ({
  verbs: wordsOf(rule.verbs),
  apiGroups: wordsOf(rule.apiGroups),
  resources: wordsOf(rule.resources),
  resourceNames: wordsOf(rule.resourceNames),
})

const placed = (
  { namespaced }: Resource,
  { namespace, name }: { readonly namespace: string; readonly name: string },
) => (namespaced ? { namespace, name } : { name })

const drafted = (object: Draft): KubeDraft => object as KubeDraft
const listedObject = (object: Stored): KubeObject => object as KubeObject

/** The same client, whose writes are tried out only. */
const trying = (client: KubeClient, dryRun: boolean | undefined): KubeClient =>
  dryRun === true
    ? { ...client, send: (request) => client.send({ ...request, query: { ...request.query, dryRun: 'All' } }) }
    : client

/** What would be stored. It has no resourceVersion, since it never was. */
async function tried(
  client: KubeClient,
  resource: Resource,
  { namespace, object }: { readonly namespace: string; readonly object: Draft },
): Promise<Stored> {
  const body = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind }
  const answer = await client.send({
    method: 'POST',
    path: pathOf(resource, { namespace }),
    query: { dryRun: 'All' },
    body,
  })
  const { metadata, ...rest } = (answer ?? {}) as Partial<Stored>
  if (typeof metadata?.name !== 'string') throw new Trouble('kube_not_understood', 'retry')
  return { ...rest, metadata }
}

async function removed(
  client: KubeClient,
  ref: { readonly namespace: string; readonly name: string },
  was: { readonly uid: string; readonly resourceVersion?: string },
): Promise<'removed' | 'absent' | 'changed'> {
  try {
    return await remove(client, CLAIMS, { ref, ...was })
  } catch (error) {
    if (isConflict(error)) return 'changed'
    throw error
  }
}

async function createSecret(
  client: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  stringData: Readonly<Record<string, string>>,
): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', stringData }
  try {
    await client.send({ method: 'POST', path: pathOf(SECRETS, { namespace }), body, accept: NO_DATA })
  } catch (error) {
    // what refuses a Secret may quote it
    throw error instanceof ApiError ? refusedOf(error, undefined) : error
  }
}

type PodQuestion = { readonly pod: PodPort; readonly path: string; readonly heard: Said }

/** What is not found there is an answer as well. */
async function throughPod(client: KubeClient, { pod, path, heard }: PodQuestion): Promise<Heard> {
  const at = pathOf(PODS, { namespace: pod.namespace, name: pod.name })
  try {
    return { status: 200, body: await client.send({ method: 'GET', path: `${at}:${pod.port}/proxy${path}` }) }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { status: 404, body: heard.get(error) }
    // both of the pod, or of the way to it, and not of the API server
    if (error instanceof ApiError) throw refusedOf(error, heard.get(error))
    if (error instanceof Trouble && error.code === 'kube_not_understood') return { status: 200, body: undefined }
    throw error
  }
}

/** An answer that shows nothing of what was sent. */
const NO_DATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

/** No error leaves here but refusals and stops. */
function explaining(client: KubeClient, { heard, ...way }: Omit<About, 'namespace'>) {
  return async <T>(ask: (client: KubeClient) => Promise<T>): Promise<T> => {
    try {
      return await ask(client)
    } catch (error) {
      if (error instanceof ApiError) {
        const said = heard.get(error)
        throw strangerStop(error, said, way) ?? refusedOf(error, said)
      }
      if (!(error instanceof Trouble)) throw error
      throw stopOf(error, way)
    }
  }
}
