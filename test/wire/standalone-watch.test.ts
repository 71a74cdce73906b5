/** Watches of the API of standalone over a server of the test's own: what a client learns that comes back, or does not read. */
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Book, keyOf, openBook } from '../../src/standalone/rest/book.ts'
import { callOf } from '../../src/standalone/rest/call.ts'
import { targetOf } from '../../src/standalone/rest/kinds.ts'
import type { Held } from '../../src/standalone/rest/shown.ts'
import { makeWatches } from '../../src/standalone/rest/watch.ts'
import { until } from '../support/until.ts'

const PATH = '/apis/keyward.dev/v1alpha1/namespaces/team/apikeys'

type Event = { readonly type: string; readonly object: Readonly<Record<string, unknown>> & { metadata: Metadata } }
type Metadata = { readonly name?: string; readonly resourceVersion: string; readonly annotations?: unknown }

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const aKey = (name: string, tier = 'gold'): Held => ({
  ...{ kind: 'ApiKey', namespace: 'team', name, uid: `uid-${name}`, generation: 1, file: '', line: 0, firstSeenMs: 0 },
  manifest: { metadata: { name, labels: { tier } }, spec: {} },
})

/** Objects whose phase is in `phases`, and a server of their watches. */
async function world(...names: readonly string[]) {
  const objects = new Map(names.map((name) => [keyOf(aKey(name)), aKey(name)]))
  const phases = new Map<string, string>()
  const statusOf = ({ name }: Held) => ({ phase: phases.get(name) ?? 'Active' })
  const book: Book = openBook(
    { find: (key) => objects.get(key), all: () => objects.values(), statusOf, forget: () => undefined },
    100,
  )
  book.begin()
  const watches = makeWatches({ book, statusOf, nowMs: () => 0 })
  const server = createServer((request, response) => {
    const call = callOf('GET', request.url ?? '', '')
    const target = targetOf(call.path)
    if (target !== undefined) watches.begin(target, call, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`
  return {
    book,
    open: () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
    put: (held: Held) => {
      objects.set(keyOf(held), held)
      book.came(held)
    },
    remove: (held: Held) => {
      objects.delete(keyOf(held))
      book.went(held)
    },
    report: (name: string, phase: string) => {
      phases.set(name, phase)
      book.touched(`ApiKey/team/${name}`)
    },
    watch: (query: string) => watched(`${url}?watch=1&${query}`),
  }
}

async function watched(url: string) {
  const response = await new Promise<IncomingMessage>((resolve) => get(url, { agent: false }, resolve))
  let text = ''
  const read = () => {
    response.on('error', () => undefined)
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  const events = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event)
  const lines = () => events().map(({ type, object }) => `${type} ${object.metadata.name}`)
  const told = async (...wanted: readonly string[]) => {
    await until(`it is told ${wanted.join(', ')}`, () => lines().length >= wanted.length)
    expect(lines()).toEqual(wanted)
  }
  return { read, events, told }
}

test('who comes back with a selector is told of what was selected and is gone by now', async () => {
  const { book, put, remove, watch } = await world('deleted', 'relabelled', 'other', 'stays')
  const from = book.version()
  put(aKey('other', 'silver'))
  const between = book.version()
  remove(aKey('deleted'))
  put(aKey('relabelled', 'silver'))
  put(aKey('stays'))
  put(aKey('new'))
  remove(aKey('other', 'silver'))
  const late = await watch(`labelSelector=tier%3Dgold&resourceVersion=${between}`)
  late.read()
  await late.told('DELETED deleted', 'DELETED relabelled', 'MODIFIED stays', 'ADDED new')
  const later = await watch(`fieldSelector=metadata.name%3Dother&resourceVersion=${from}`)
  later.read()
  await later.told('MODIFIED other', 'DELETED other')
})

test('who comes back is told of what was selected by its status, and of nothing that had another name', async () => {
  const { book, report, watch } = await world('a', 'b')
  const from = book.version()
  report('a', 'Suspended')
  report('b', 'Suspended')
  const active = await watch(`fieldSelector=status.phase%3DActive,metadata.name%3Da&resourceVersion=${from}`)
  active.read()
  await active.told('DELETED a')
})

test('what was there when the process began is modified, not added, by its first change', async () => {
  const { book, put, watch } = await world('main')
  const from = book.version()
  put({ ...aKey('main'), generation: 2 })
  const again = await watch(`resourceVersion=${from}`)
  again.read()
  await again.told('MODIFIED main')
})

test('a bookmark never names what has not been told yet', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `key-${i}`)
  const { book, put, watch } = await world(...names)
  const from = book.version()
  const all = await watch('sendInitialEvents=true&allowWatchBookmarks=true')
  // its beginning takes several turns
  put(aKey('meanwhile'))
  all.read()
  await until('it is told all', () => all.events().at(-1)?.object.metadata.name === 'meanwhile')
  const mark = all.events().find(({ type }) => type === 'BOOKMARK')
  expect(mark?.object.metadata).toMatchObject({
    resourceVersion: String(from),
    annotations: { 'k8s.io/initial-events-end': 'true' },
  })
})

test('who does not even read the beginning is let go, and nothing is kept for it', async () => {
  const { put, report, watch, open } = await world('main')
  const pad = 'x'.repeat(200_000)
  for (let i = 0; i < 100; i++) {
    const key = aKey(`long-${i}`)
    put({ ...key, manifest: { metadata: { name: key.name, annotations: { pad } }, spec: {} } })
  }
  await watch('sendInitialEvents=true')
  for (let i = 0; i < 5_000; i++) report('main', 'Suspended')
  await until('its connection is closed', async () => (await open()) === 0)
})
