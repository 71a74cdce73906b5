/** The contract of the reconciler's port, kept by a real API server. */
import { afterAll, beforeAll } from 'vitest'
import { keyPortContract } from '../contract/key-port.contract.ts'
import { startCluster } from '../support/cluster.ts'
import { clusterHome } from '../support/cluster-home.ts'
import { type RealApi, realApi } from '../support/real-api.ts'

let api: RealApi

beforeAll(async () => {
  api = await realApi(await startCluster({ admission: 'none' }), false)
})
afterAll(() => api.close())

keyPortContract('a real API server', async () => clusterHome(await api.fresh(), 'nothing'))
