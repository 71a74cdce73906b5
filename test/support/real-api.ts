/** A real API server as a home of keys sees it: Kubernetes namespaces of its own for each home, and clients for who acts. */
import { makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { byKubeconfig } from '../../src/kube/kubeconfig.ts'
import { reflect } from '../../src/kube/reflector.ts'
import type { Cluster } from './cluster.ts'
import type { Api } from './cluster-home.ts'

const parts = { steadyMs: () => performance.now(), jitter: () => 0.5 }

export type RealApi = {
  /** ApiKeys lie in a Kubernetes namespace of their own each time. @param own Keyward's; drawn as well unless given */
  readonly fresh: (own?: string) => Promise<Api>
  readonly close: () => Promise<void>
}

/** @param asOperator with the rights of the operator that is deployed, and no others */
export async function realApi(cluster: Cluster, asOperator: boolean): Promise<RealApi> {
  const { steadyMs } = parts
  const access = await byKubeconfig({ file: cluster.kubeconfig, env: {}, context: undefined, steadyMs })
  const client = makeClient({ access, ...parts })
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = cluster.podEnv
  const folder = asOperator ? await cluster.serviceAccount('keyward-operator') : ''
  const operator = asOperator ? makeClient({ access: inCluster({ folder, host, port, steadyMs }), ...parts }) : client
  let count = 0
  const namespace = async (name: string): Promise<string> => {
    await client.send({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name } } })
    return name
  }
  return {
    fresh: async (own) => {
      count += 1
      const inNamespace = await namespace(`team-${count}`)
      const ownNamespace = own ?? (await namespace(`keyward-${count}`))
      const nowMs = () => Date.now()
      return { client, operator, reflect, nowMs, inNamespace, ownNamespace, close: async () => {} }
    },
    close: async () => {
      await operator.close()
      await client.close()
    },
  }
}
