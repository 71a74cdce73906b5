/** What an administrator does on a control plane: asks its API, applies manifests, hands out service accounts. Knows no test runner. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request as send } from 'undici'
import { type KubectlOptions, type Ran, runKubectl } from './cluster-kubectl.ts'
import { type ControlPlane, keywardManifests } from './control-plane.ts'
import { until } from './until.ts'

export type Answer = { readonly status: number; readonly body: unknown }

export type Request = (method: string, path: string, body?: unknown, contentType?: string) => Promise<Answer>

export type Admin = {
  readonly kubectl: (args: readonly string[], options?: KubectlOptions) => Promise<Ran>
  /** Throws what kubectl says where it refuses. */
  readonly apply: (yaml: string) => Promise<void>
  /** A body is sent as JSON; an answer that is not JSON, or several lines of it (a watch), is its text. */
  readonly request: Request
  /** A folder as a pod has it, with a token of a day. The ServiceAccount and its namespace are made where they are missing. */
  readonly serviceAccount: (name: string, namespace?: string) => Promise<string>
  /** Applies Keyward's crds/ and deploy/, but for these files of it, and waits until the API server serves them. */
  readonly deployKeyward: (but: readonly string[]) => Promise<void>
  readonly etcdIsUp: () => Promise<boolean>
  readonly apiServerIsUp: () => Promise<boolean>
  /** Whether a new namespace gets what the first pod of it needs. */
  readonly controllersAreUp: () => Promise<boolean>
  readonly close: () => Promise<void>
}

const SERVED_WITHIN_MS = 60_000
const TOKEN_S = 86_400

/** An API server and what its administrator shows: a token, or a client certificate (PEM). */
export type Reached = Pick<ControlPlane, 'server' | 'ca' | 'caFile' | 'kubeconfig' | 'kubectl'> & {
  readonly adminToken: string | undefined
  readonly certificate?: { readonly cert: string; readonly key: string }
  readonly etcdUrl?: string
}

/** @param dir where it may keep what it needs */
export function adminOf(plane: Reached, dir: string): Admin {
  // over HTTP/2 a server that is busy for long ends a stream in the middle
  const agent = new Agent({ allowH2: false, connect: { ca: plane.ca, ...plane.certificate } })
  const request = requestAs(plane, agent)
  const kubectl: Admin['kubectl'] = (args, options = {}) => runKubectl({ plane, dir, args, options })
  const applied = async (args: readonly string[], input?: string): Promise<void> => {
    const { status, stderr } = await kubectl(['apply', ...args], input === undefined ? {} : { input })
    if (status === 0) return
    // another one made it meanwhile: now it is there
    if (stderr.includes('(AlreadyExists)')) return applied(args, input)
    throw new Error(stderr)
  }
  return {
    kubectl,
    request,
    apply: (yaml) => applied(['-f', '-'], yaml),
    serviceAccount: async (name, namespace = 'keyward-system') => {
      const token = await tokenOf(request, { name, namespace })
      const folder = join(dir, 'pods', `${namespace}-${name}`)
      mkdirSync(folder, { recursive: true })
      const files = { token, namespace, 'ca.crt': plane.ca }
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text, { mode: 0o600 })
      return folder
    },
    deployKeyward: async (but) => {
      const files = keywardManifests().filter((file) => !but.includes(file))
      if (files.length === 0) return
      // as people do it, so that applying them once more warns of nothing
      await applied(files.flatMap((file) => ['-f', file]))
      await until('the definitions are served', () => areEstablished(request), SERVED_WITHIN_MS)
    },
    etcdIsUp: () => isOk(`${plane.etcdUrl}/health`, agent),
    apiServerIsUp: () => isOk(`${plane.server}/readyz`, agent),
    controllersAreUp: async () =>
      (await request('GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200,
    close: () => agent.destroy(),
  }
}

function requestAs({ server, adminToken }: Reached, dispatcher: Agent): Request {
  return async (method, path, body, contentType = 'application/json') => {
    const answer = await send(`${server}${path}`, {
      ...{ method, dispatcher, body: body === undefined ? null : JSON.stringify(body) },
      headers: {
        ...(adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
    })
    return { status: answer.statusCode, body: parsed(await answer.body.text()) }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function isOk(url: string, dispatcher: Agent): Promise<boolean> {
  try {
    const { statusCode, body } = await send(url, { dispatcher, headersTimeout: 2000 })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

type Account = { readonly name: string; readonly namespace: string }

async function tokenOf(request: Request, { name, namespace }: Account): Promise<string> {
  const home = `/api/v1/namespaces/${namespace}/serviceaccounts`
  // 409 where they are there
  await request('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await request('POST', home, { metadata: { name } })
  const asked = { spec: { expirationSeconds: TOKEN_S } }
  const { status, body } = await request('POST', `${home}/${name}/token`, asked)
  if (status !== 201) throw new Error(`no token for ${namespace}/${name}: ${JSON.stringify(body)}`)
  return (body as { status: { token: string } }).status.token
}

type Condition = { readonly type: string; readonly status: string }
type Definitions = { readonly items: readonly { readonly status?: { readonly conditions?: readonly Condition[] } }[] }

async function areEstablished(request: Request): Promise<boolean> {
  const { body } = await request('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions')
  const isEstablished = ({ type, status }: Condition) => type === 'Established' && status === 'True'
  return (body as Definitions).items.every(({ status }) => status?.conditions?.some(isEstablished))
}
