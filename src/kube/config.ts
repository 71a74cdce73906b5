/** What a command can be told about the API server, and the access that comes of it. */
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'
import { flagOf, variableOf } from '../runtime/config.ts'
import type { Access } from './access.ts'
import { inCluster } from './in-cluster.ts'
import { byKubeconfig } from './kubeconfig.ts'
import { KubeconfigUnreadable, kubeconfigPaths } from './kubeconfig-files.ts'

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const NAMESPACE = 'keyward-system'

const text = (wanted: string) => z.string({ error: wanted }).min(1, { error: wanted })

/** To be spread into a command's own options. */
export const kubeOptions = {
  kubeconfig: text('the path of a file is needed').optional(),
  context: text('the name of a context is needed').optional(),
  serviceAccount: text('the path of a folder is needed').default(SERVICE_ACCOUNT),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'the name of a Kubernetes namespace is needed' })
    .optional(),
}

const options = z.object(kubeOptions)
export type KubeOptionValues = z.output<typeof options>

export type KubeAccess = {
  readonly access: Access
  /** Keyward's own Kubernetes namespace. */
  readonly namespace: string
}

export type KubeConfigured =
  | { readonly ok: true; readonly kube: KubeAccess }
  | { readonly ok: false; readonly problems: readonly string[] }

export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly steadyMs: () => number
}

/** A kubeconfig that is named; else the folder of a pod; else the kubeconfig that kubectl would use. */
export async function openKube(given: KubeOptionValues, around: Surroundings): Promise<KubeConfigured> {
  const pod = podOf(given, around)
  if (pod !== undefined)
    return { ok: true, kube: { access: pod, namespace: given.namespace ?? pod.namespace ?? NAMESPACE } }
  try {
    const { kubeconfig: file, context } = given
    const access = await byKubeconfig({ file, context, ...around })
    // a person's context says where that person works, not where Keyward lives
    return { ok: true, kube: { access, namespace: given.namespace ?? NAMESPACE } }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return { ok: false, problems: [problemOf(error, given, around.env)] }
  }
}

function podOf(given: KubeOptionValues, { env, steadyMs }: Surroundings): Access | undefined {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env
  const named = given.kubeconfig !== undefined || given.context !== undefined
  if (named || host === '' || !existsSync(given.serviceAccount)) return undefined
  return inCluster({ folder: given.serviceAccount, host, port, steadyMs })
}

function problemOf(error: Trouble, { kubeconfig, context }: KubeOptionValues, env: Surroundings['env']): string {
  const looked = kubeconfigPaths({ file: kubeconfig, env })
  const file = looked.join(delimiter)
  const said = `${flagOf('kubeconfig')} (${variableOf('kubeconfig')})`
  const why = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  if (error.code === 'kubeconfig_missing')
    return `there is no kubeconfig${file === '' ? '' : ` (${file})`}, and this is no pod: name one with ${said} or with KUBECONFIG`
  if (error.code === 'kubeconfig_names_no_cluster') {
    return context === undefined
      ? `${said}: ${file} names no cluster: neither in a pod nor with a kubeconfig that has a current context`
      : `${flagOf('context')} (${variableOf('context')}): there is no context ${context} with a cluster`
  }
  const unread = error instanceof KubeconfigUnreadable ? error.path : file
  return `${said}: ${unread} can't be read as a kubeconfig${why}`
}
