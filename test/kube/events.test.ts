/** What is sent of an event, by a client that only listens; the server itself is asked in test/cluster. */
import { expect, test } from 'vitest'
import type { KubeClient } from '../../src/kube/client.ts'
import { makeEvents } from '../../src/kube/events.ts'
import { until } from '../support/until.ts'

function fakeServer() {
  const names: string[] = []
  const client: KubeClient = {
    send: async ({ body }) => {
      names.push((body as { metadata: { name: string } }).metadata.name)
      return { metadata: { name: '', uid: 'u', resourceVersion: '1' } }
    },
    watch: async () => undefined,
    close: async () => undefined,
  }
  return { names, client }
}

const LABEL = /^[a-z0-9]+(-+[a-z0-9]+)*$/

test.each(['main', `${'a'.repeat(199)}-b`, `${'a'.repeat(199)}.b`, `${'a'.repeat(198)}--b`])(
  'the name of an event about %s is one that the server takes',
  async (name) => {
    const { names, client } = fakeServer()
    const uuid = () => '01234567-89ab-4cde-8f01-23456789abcd'
    const events = makeEvents({ client, nowMs: () => 0, uuid, component: 'keyward.dev/operator', instance: 'one' })
    const regarding = { apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', namespace: 'team', name, uid: 'uid' }
    events.note({ regarding, type: 'Normal', reason: 'Issued', message: 'version 1' })
    await until('it is sent', () => names.length === 1)
    for (const label of names[0]?.split('.') ?? []) expect(label).toMatch(LABEL)
    expect(names[0]).toMatch(/\.0123456789ab4cde$/)
    await events.stop()
  },
)
