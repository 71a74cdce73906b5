/** Whether any key is kept, as is asked before a key for stamps is made. A fake API server. */
import { expect, test } from 'vitest'
import type { KubeRequest } from '../../src/kube/client.ts'
import { keepsKeys } from '../../src/kube/keeps-keys.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'

test.each([
  ['no', []],
  ['a', [{ metadata: { name: 'kw-prod-a', uid: 'u', resourceVersion: '1' } }]],
])('%s digest Secret of our own tells it, and nothing that others may write', async (_what, items) => {
  const asked: KubeRequest[] = []
  const client = {
    ...fakeApiServer(() => 0).client,
    send: async (request: KubeRequest) => {
      asked.push(request)
      return { items, metadata: { resourceVersion: '1' } }
    },
  }
  expect(await keepsKeys(client, 'keyward-system')).toBe(items.length > 0)
  expect(asked).toEqual([
    {
      method: 'GET',
      path: '/api/v1/namespaces/keyward-system/secrets',
      query: { limit: '1', fieldSelector: 'type=keyward.dev/key-digest' },
    },
  ])
})
