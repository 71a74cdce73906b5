/** Access by a kubeconfig, as client-node reads it: exec plugins and all. Loaded only where it is needed: it is heavy. */
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { Trouble } from '../core/trouble.ts'
import type { Access, Credentials, Tls } from './access.ts'
import { type KubeconfigPlace, kubeconfigFiles, mergedKubeconfig } from './kubeconfig-files.ts'

export type KubeconfigParts = KubeconfigPlace & {
  /** undefined: the current one. */
  readonly context: string | undefined
  readonly steadyMs: () => number
}

/** Files are read and plugins asked no more often than that; client-node itself would do so for every request. */
const ASK_ANEW_MS = 10_000

/** Rejects with a Trouble where there is no such file, context or cluster. */
export async function byKubeconfig({ context, steadyMs, ...place }: KubeconfigParts): Promise<Access> {
  // looked for before what is heavy is loaded
  kubeconfigFiles(place)
  const { KubeConfig } = await import('@kubernetes/client-node')
  const load = (): KubeConfig => {
    const config = mergedKubeconfig(kubeconfigFiles(place), () => new KubeConfig())
    if (context !== undefined) config.setCurrentContext(context)
    return config
  }
  let config = load()
  const cluster = config.getCurrentCluster()
  if (cluster === null || !URL.canParse(cluster.server)) throw new Trouble('kubeconfig_names_no_cluster', 'stop')
  let asked: { readonly credentials: Promise<Credentials>; readonly at: number } | undefined

  const credentials = (fresh: boolean): Promise<Credentials> => {
    if (!fresh && asked !== undefined && steadyMs() - asked.at < ASK_ANEW_MS) return asked.credentials
    // a plugin's answer is kept by the configuration that asked for it
    if (fresh) config = load()
    const answer = credentialsOf(config)
    asked = { credentials: answer, at: steadyMs() }
    answer.catch(() => {
      if (asked?.credentials === answer) asked = undefined
    })
    return answer
  }

  return {
    server: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    proxy: cluster.proxyUrl,
    credentials,
  }
}

/** What client-node would put into a request; its connections are not used, as it makes a new one for each. */
async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch {
    // what a plugin writes may be anything
    throw new Trouble('kube_credentials_unavailable', 'retry')
  }
  const { ca, cert, key, servername, rejectUnauthorized, headers, auth } = options
  const login = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  return {
    headers: { ...login, ...plain(headers) },
    tls: { ca: pem(ca), cert: pem(cert), key: pem(key), servername, rejectUnauthorized },
  }
}

function plain(headers: RequestOptions['headers']): Readonly<Record<string, string>> {
  if (headers === undefined || Array.isArray(headers)) return {}
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name.toLowerCase(), String(value)] as const],
  )
  return Object.fromEntries(entries)
}

const pem = (value: unknown): Tls['ca'] => (typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined)
