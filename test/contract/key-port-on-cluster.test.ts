/** The cluster's port on a fake API server; test/cluster asks the same of a real one. */

import { NOON } from '../operator/make.ts'
import { clusterHome } from '../support/cluster-home.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'
import { keyPortContract } from './key-port.contract.ts'

keyPortContract('a fake API server', async () => {
  const { client, reflect } = fakeApiServer(() => NOON)
  const api = { client, operator: client, reflect, nowMs: () => NOON, inNamespace: 'default' }
  return await clusterHome({ ...api, ownNamespace: 'keyward-system', close: async () => {} }, 'nothing')
})
