/** Clients of a test cluster, made as in a pod, and the bare objects that tests are about. */
import { copyFileSync, cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Access } from '../../src/kube/access.ts'
import { type KubeClient, makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { CONFIG_MAPS, type KubeDraft, pathOf } from '../../src/kube/objects.ts'
import { jitter, steadyMs } from '../../src/runtime/system.ts'
import type { Cluster } from './cluster.ts'
import { temporaryFolder } from './process.ts'

export type Through = { readonly port: number; readonly caFile?: string }

/** The folder of a pod that may do anything. */
export async function almightyFolder(cluster: Cluster): Promise<string> {
  const folder = await cluster.serviceAccount('almighty', 'default')
  await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'almighty' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'almighty', namespace: 'default' }],
  })
  return folder
}

/** @param through a proxy on 127.0.0.1, with the authority that it has a certificate of */
export function accessOf(folder: string, through: Through): Access {
  const own = join(temporaryFolder(), 'pod')
  mkdirSync(own)
  cpSync(folder, own, { recursive: true })
  if (through.caFile !== undefined) copyFileSync(through.caFile, join(own, 'ca.crt'))
  return inCluster({ folder: own, host: '127.0.0.1', port: String(through.port), steadyMs })
}

const open: KubeClient[] = []
afterAll(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
})

/** Closed at the end of the test file. */
export function clientOf(access: Access): KubeClient {
  const client = makeClient({ access, steadyMs, jitter })
  open.push(client)
  return client
}

export const configMap = (name: string, data: Readonly<Record<string, string>> = {}): KubeDraft => ({
  metadata: { name },
  data,
})

/** As administrator, past every proxy. */
export async function putConfigMap(cluster: Cluster, namespace: string, object: KubeDraft): Promise<void> {
  const path = pathOf(CONFIG_MAPS, { namespace })
  const { status } = await cluster.request('POST', path, object)
  if (status === 201) return
  const name = String(object.metadata.name)
  const { status: replaced } = await cluster.request('PUT', pathOf(CONFIG_MAPS, { namespace, name }), object)
  if (replaced !== 200) throw new Error(`the API server answered ${status} and ${replaced}`)
}

export async function dropConfigMap(cluster: Cluster, namespace: string, name: string): Promise<void> {
  const { status } = await cluster.request('DELETE', pathOf(CONFIG_MAPS, { namespace, name }))
  if (status !== 200) throw new Error(`the API server answered ${status}`)
}

export async function makeNamespace(cluster: Cluster, name: string): Promise<string> {
  const { status } = await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } })
  if (status !== 201) throw new Error(`the API server answered ${status}`)
  return name
}
