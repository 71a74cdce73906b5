import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { type EventsParts, makeEvents, type Note } from '../../src/kube/events.ts'
import { nowMs, uuid } from '../../src/runtime/system.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { accessOf, almightyFolder, clientOf, makeNamespace } from '../support/kube-client.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let folder: string
beforeAll(async () => {
  cluster = await startCluster({ deploy: false })
  folder = await almightyFolder(cluster)
})

type Seen = {
  readonly reason: string
  readonly note: string
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}

async function eventsIn(namespace: string): Promise<readonly Seen[]> {
  const { body } = await cluster.request('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
  return (body as { items: Seen[] }).items
}

const about = (namespace: string, message: string): Note => ({
  regarding: { apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', namespace, name: 'main', uid: 'uid-of-main' },
  type: 'Warning',
  reason: 'ClaimDenied',
  message,
})

let clock = 0
function start(port: number, parts: Partial<EventsParts> = {}) {
  const events = makeEvents({
    client: clientOf(accessOf(folder, { port })),
    nowMs: () => nowMs() + clock,
    ...{ uuid, component: 'keyward.dev/operator', instance: 'operator-1' },
    ...parts,
  })
  onTestFinished(() => events.stop())
  return events
}

test('an event can be read beside its object, as kubectl shows it', async () => {
  const namespace = await makeNamespace(cluster, 'shown')
  start(cluster.port).note(about(namespace, 'the key is suspended'))
  await until('it is there', async () => (await eventsIn(namespace)).length === 1)
  const { stdout } = await cluster.kubectl(['-n', namespace, 'events', '--no-headers'])
  expect(stdout).toMatch(/Warning\s+ClaimDenied\s+ApiKey\/main\s+the key is suspended/)
})

test('what is said again becomes a series, sent at most once a minute', async () => {
  const namespace = await makeNamespace(cluster, 'series')
  const events = start(cluster.port)
  events.note(about(namespace, 'again'))
  await until('it is there', async () => (await eventsIn(namespace)).length === 1)
  for (let i = 0; i < 5; i++) events.note(about(namespace, 'again'))
  expect((await eventsIn(namespace))[0]?.series ?? undefined).toBeUndefined()
  clock += 61_000
  events.note(about(namespace, 'again'))
  const series = await until('the series is there', async () => (await eventsIn(namespace))[0]?.series)
  expect(series).toEqual({ count: 7, lastObservedTime: expect.stringMatching(/\.\d{6}Z$/) })
  expect((await eventsIn(namespace)).length).toBe(1)
})

test('there are never too many about one object, and a long message is shortened', async () => {
  const namespace = await makeNamespace(cluster, 'many')
  const events = start(cluster.port)
  for (let i = 0; i < 50; i++) events.note(about(namespace, `${i} ${'é'.repeat(2000)}`))
  await until('ten are there', async () => (await eventsIn(namespace)).length === 10)
  await events.stop()
  const seen = await eventsIn(namespace)
  expect(seen.length).toBe(10)
  expect(Math.max(...seen.map(({ note }) => Buffer.byteLength(note)))).toBeLessThanOrEqual(1000)
})

test('an API server that is not there for a while gets it later; a namespace that is not there costs nothing', async () => {
  const namespace = await makeNamespace(cluster, 'later')
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
  const events = start(proxy.port)
  proxy.refuse()
  events.note(about('nowhere', 'lost'))
  events.note(about(namespace, 'later'))
  await new Promise((resolve) => setTimeout(resolve, 100))
  proxy.heal()
  await until('it is there', async () => (await eventsIn(namespace)).length === 1)
  await events.stop()
})
