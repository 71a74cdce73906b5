/** What replicas share, looked after: the certificates go on where the key of stamps can't be read. A fake API server. */
import { afterEach, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { KubeRequest } from '../../src/kube/client.ts'
import { openAdmission } from '../../src/operator/admission.ts'
import { codeOf } from '../../src/operator/troubles.ts'
import { makeLog } from '../../src/runtime/log.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'
import { until } from '../support/until.ts'
import { DAY, NOON } from './make.ts'

const NO_KEYS = { items: [], metadata: { resourceVersion: '1' } }

const stop = new AbortController()
afterEach(() => stop.abort())

test('a key of stamps that can not be read is told by itself, and the certificates are renewed all the same', async () => {
  const state = { now: NOON, fails: false }
  const server = fakeApiServer(() => state.now)
  const webhooks = (kind: string) => ({
    metadata: { name: 'keyward', uid: kind, resourceVersion: '1', creationTimestamp: '2026-11-22T12:00:00Z' },
    webhooks: [{ name: 'apikeys.keyward.dev', clientConfig: {} }],
  })
  for (const kind of ['mutating', 'validating'])
    server.put(`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/keyward`, webhooks(kind))
  const client = {
    ...server.client,
    send: async (request: KubeRequest) => {
      if (state.fails && request.path.endsWith('/keyward-stamp-key')) throw new Trouble('kube_unavailable', 'retry')
      return request.path.endsWith('/secrets') && request.method === 'GET' ? NO_KEYS : server.client.send(request)
    },
  }
  const noted: string[] = []
  const admission = openAdmission({
    ...{ client, at: { host: '127.0.0.1', port: 0 }, names: ['127.0.0.1'], certificateFolder: undefined },
    ...{ namespace: 'keyward-system', operatorNamespace: 'keyward-operator', drainMs: 0, endMs: 0, everyMs: 60_000 },
    reviews: { may: async () => false, missing: async () => [] },
    beside: { lineage: async () => [], heldIds: () => new Map(), hostHolder: () => undefined },
    ...{ isLeading: () => true, isNamedGroup: () => undefined, grantsAnything: () => false, counted: () => {} },
    note: (about, error) => noted.push(`${about}: ${codeOf(error)}`),
    ...{ log: makeLog('error', { write: () => {} }), nowMs: () => state.now, steadyMs: () => 0 },
    random: (count) => new Uint8Array(count),
  })
  const running = admission.run(stop.signal)
  await until('it answers', admission.port)
  const first = admission.expiresAt()
  state.now += 20 * DAY
  state.fails = true
  await admission.look()
  expect(noted).toEqual(['the key of stamps can not be looked at: kube_unavailable'])
  expect(admission.expiresAt()).toBe((first ?? 0) + 20 * DAY)
  stop.abort()
  await running
})
