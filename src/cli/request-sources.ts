/** Who may have answered a check, and how each of them is asked: through the API server, or directly. */
import { z } from 'zod'
import type { Cluster, Heard, Stored } from './cluster.ts'
import { printable } from './printable.ts'
import { Refused, Stop, wrongly } from './refused.ts'
import { checksIn, type ToldCheck, type Unasked } from './request-answers.ts'

export type Source = { readonly from: string; readonly ask: (path: string) => Promise<Heard> }

export type Told = {
  readonly checks: readonly (ToldCheck & { readonly from: string })[]
  /** Who answered, whatever it was. */
  readonly asked: readonly string[]
  readonly unasked: readonly Unasked[]
}

/** Asks all of them. */
export async function tellAll(sources: readonly Source[], requestId: string): Promise<Told> {
  const told = await Promise.all(sources.map((source) => tell(source, requestId)))
  return {
    checks: told
      .flatMap(({ from, said }) => (typeof said === 'string' ? [] : said.map((check) => ({ ...check, from }))))
      .toSorted((a, b) => (b.at ?? '').localeCompare(a.at ?? '')),
    asked: told.flatMap(({ from, said }) => (typeof said === 'string' ? [] : [from])),
    unasked: told.flatMap(({ from, said }) => (typeof said === 'string' ? [{ from, why: said }] : [])),
  }
}

type Said = { readonly from: string; readonly said: readonly ToldCheck[] | string }

async function tell({ from, ask }: Source, requestId: string): Promise<Said> {
  try {
    const { status, body } = await ask(`/checks/${requestId}`)
    const checks = status === 200 || status === 404 ? checksIn(body) : undefined
    return { from, said: checks ?? unreadWords(status, body) }
  } catch (error) {
    if (error instanceof Refused) return { from, said: refusedWords(error) }
    if (error instanceof Stop) return { from, said: error.message }
    throw error
  }
}

function unreadWords(status: number, body: unknown): string {
  const { kind } = (body ?? {}) as { readonly kind?: unknown }
  if (status === 404 && kind === 'Status') return 'it is gone'
  return status === 404 || status === 200
    ? 'it does not tell of checks: is it port 9090 of an authz or a standalone, and of this version?'
    : `it answered ${status}`
}

const refusedWords = ({ status, message }: Refused): string =>
  status === 403 ? FORBIDDEN : `the API server answered ${status}: ${printable(message)}`

/** Said of a pod that one may not ask. */
export const FORBIDDEN = 'you may not ask it through the API server'

/** As the docs label them. */
const AUTHZ = 'app.kubernetes.io/name=keyward,app.kubernetes.io/component=authz'
const METRICS_PORT = 9090

export type AuthzPlace = {
  readonly namespace: string
  /** That `--server` names; undefined: a kubeconfig leads there. */
  readonly server: string | undefined
}

export async function authzPods(cluster: Cluster, { namespace, server }: AuthzPlace): Promise<readonly Source[]> {
  const pods = await cluster.list('pods', { namespace, labelSelector: AUTHZ }).catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error
    if (error.status === 403)
      throw new Stop(`you may not list pods in the Kubernetes namespace ${namespace}\n${rightsWords(namespace)}`)
    if (error.status === 404) throw wrongly(noPodsWords(server))
    throw error
  })
  const sources = pods.flatMap((pod) => podSource(cluster, pod, namespace))
  if (sources.length > 0) return sources
  throw new Stop(
    `no pod of authz runs in the Kubernetes namespace ${namespace} (labels ${AUTHZ})\nname the right one with --authz-namespace, or the address of its port ${METRICS_PORT} with --authz`,
  )
}

/** What allows to ask pods, and what does without. */
export const rightsWords = (namespace: string): string =>
  `a Role there with these rules would allow it: {apiGroups: [""], resources: [pods], verbs: [list]} and {apiGroups: [""], resources: [pods/proxy], verbs: [get]}
or ask what answers checks directly: kubectl port-forward -n ${namespace} POD ${METRICS_PORT}, and --authz http://127.0.0.1:${METRICS_PORT}; once for each replica`

function noPodsWords(server: string | undefined): string {
  const host = server === undefined ? '127.0.0.1' : new URL(server).hostname
  return `--request-id: there are no pods to be asked, as with a standalone: say where port ${METRICS_PORT} of what answers checks is, such as --authz http://${host}:${METRICS_PORT}`
}

const running = z.object({
  metadata: z.object({ name: z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/) }),
  status: z.object({ podIP: z.string().min(1), phase: z.string().optional() }),
})
const ports = z.object({
  spec: z.object({
    containers: z.array(
      z.object({
        ports: z.array(z.object({ name: z.string().optional(), containerPort: z.number().int() })).catch([]),
      }),
    ),
  }),
})
const ENDED = new Set(['Succeeded', 'Failed'])

function podSource(cluster: Cluster, pod: Stored, namespace: string): readonly Source[] {
  const read = running.safeParse(pod)
  if (!read.success || ENDED.has(read.data.status.phase ?? '')) return []
  const { name } = read.data.metadata
  const declared = ports.safeParse(pod).data?.spec.containers.flatMap((container) => container.ports)
  const port = declared?.find((one) => one.name === 'metrics')?.containerPort ?? METRICS_PORT
  return [{ from: name, ask: (path) => cluster.throughPod({ namespace, name, port }, path) }]
}

const ADDRESS = /^https?:\/\/[^\s/@?#]+\/?$/
const LARGEST_ANSWER = 1024 * 1024

/** @param url as somebody wrote it */
export function sourceAt(url: string, timeoutMs: number): Source {
  if (!ADDRESS.test(url) || !URL.canParse(url))
    throw wrongly(`--authz: an address such as http://127.0.0.1:${METRICS_PORT} is needed`)
  return { from: url, ask: (path) => askAt(new URL(path, url), timeoutMs) }
}

async function askAt(url: URL, timeoutMs: number): Promise<Heard> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    return { status: answer.status, body: jsonOf(await textOf(answer)) }
  } catch (error) {
    if (error instanceof Stop) throw error
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    throw new Stop(
      isLate ? 'it did not answer in time; --request-timeout waits longer' : `it can't be reached${codeOf(error)}`,
    )
  }
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > LARGEST_ANSWER) throw new Stop('its answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string {
  const { code } = ((error as { readonly cause?: unknown } | null)?.cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? ` (${printable(code)})` : ''
}
