import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { CONFIG_MAPS, type KubeObject } from '../../src/kube/objects.ts'
import { reflect } from '../../src/kube/reflector.ts'
import { jitter, steadyMs } from '../../src/runtime/system.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import {
  accessOf,
  almightyFolder,
  clientOf,
  configMap,
  dropConfigMap,
  makeNamespace,
  putConfigMap,
} from '../support/kube-client.ts'
import { startKubeFaultProxy } from '../support/kube-fault-proxy.ts'
import { temporaryFolder } from '../support/process.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let folder: string
beforeAll(async () => {
  cluster = await startCluster({ deploy: false })
  folder = await almightyFolder(cluster)
})

let count = 0
const freshNamespace = () => makeNamespace(cluster, `reflected-${++count}`)

type Change = readonly [key: string, now: string | undefined, before: string | undefined]
const wordOf = (object: KubeObject): string => (object.data as { word?: string } | undefined)?.word ?? ''

const stops: (() => Promise<void>)[] = []
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()))
})

/** Reflects the words in ConfigMaps of a namespace; stopped at the end of the test file. */
function start(client: KubeClient, namespace: string, pageSize?: number) {
  const changes: Change[] = []
  const troubles: string[] = []
  const stop = new AbortController()
  const reflector = reflect<string>({
    ...{ client, namespace, steadyMs, jitter, pageSize },
    resource: CONFIG_MAPS,
    read: wordOf,
    onChange: (key, now, before) => {
      changes.push([key.replace(`${namespace}/`, ''), now, before])
    },
    onTrouble: (error) => troubles.push(error instanceof Trouble ? error.code : String(error)),
  })
  const running = reflector.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await running
  })
  const get = (name: string) => reflector.get(`${namespace}/${name}`)
  const becomes = (name: string, word: string | undefined, withinMs = 5000) =>
    until(`${name} is ${word}`, () => get(name) === word, withinMs)
  return { reflector, changes, troubles, get, becomes }
}

const put = (namespace: string, name: string, word: string) =>
  putConfigMap(cluster, namespace, configMap(name, { word }))
const drop = (namespace: string, name: string) => dropConfigMap(cluster, namespace, name)
const direct = () => clientOf(accessOf(folder, cluster))

describe.concurrent('what lies on the API server', () => {
  test('is listed, then followed, and each change is told once', async () => {
    const namespace = await freshNamespace()
    await put(namespace, 'a', '1')
    const { reflector, changes, becomes } = start(direct(), namespace)
    expect([reflector.synced(), reflector.staleMs()]).toEqual([false, Number.POSITIVE_INFINITY])
    await reflector.whenSynced()
    await put(namespace, 'b', '1')
    await put(namespace, 'a', '2')
    await becomes('a', '2')
    await drop(namespace, 'b')
    await becomes('b', undefined)
    await reflector.relist()
    expect(changes).toEqual([
      ['a', '1', undefined],
      ['b', '1', undefined],
      ['a', '2', '1'],
      ['b', undefined, '1'],
    ])
    expect([...reflector.entries()]).toEqual([[`${namespace}/a`, '2']])
    expect(reflector.size()).toBe(1)
  })

  test('is read page by page, however much it is', async () => {
    const namespace = await freshNamespace()
    const names = Array.from({ length: 2000 }, (_, i) => `many-${i}`)
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(names.slice(i, i + 50).map((name) => put(namespace, name, name)))
    }
    const { reflector, changes, get } = start(direct(), namespace, 150)
    await reflector.whenSynced()
    expect([reflector.size(), changes.length, get('many-1999')]).toEqual([2000, 2000, 'many-1999'])
  })

  test('is known in its newest form by what we wrote or saw ourselves, and never in an older one', async () => {
    const namespace = await freshNamespace()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const { reflector, changes, get, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await put(namespace, 'a', '1')
    await reflector.whenSynced()
    await becomes('a', '1')
    proxy.stall()
    const path = `/api/v1/namespaces/${namespace}/configmaps/a`
    const first = (await cluster.request('GET', path)).body as KubeObject
    await put(namespace, 'a', '2')
    const second = (await cluster.request('GET', path)).body as KubeObject
    reflector.note(second)
    expect(get('a')).toBe('2')
    reflector.note(first)
    expect(get('a')).toBe('2')
    await drop(namespace, 'a')
    reflector.noteGone(`${namespace}/a`, second.metadata.uid)
    expect(get('a')).toBeUndefined()
    proxy.heal()
    await put(namespace, 'b', '1')
    await becomes('b', '1')
    reflector.note(second)
    expect(changes).toEqual([
      ['a', '1', undefined],
      ['a', '2', '1'],
      ['a', undefined, '2'],
      ['b', '1', undefined],
    ])
  })

  test('a handler that throws keeps nothing from its turn', async () => {
    const namespace = await freshNamespace()
    await put(namespace, 'a', '1')
    const stop = new AbortController()
    const troubles: unknown[] = []
    const reflector = reflect<string>({
      ...{ client: direct(), namespace, steadyMs, jitter, resource: CONFIG_MAPS, read: wordOf },
      onChange: () => {
        throw new Error('a handler of the test')
      },
      onTrouble: (error) => troubles.push(error),
    })
    const running = reflector.run(stop.signal)
    await reflector.whenSynced()
    await put(namespace, 'b', '1')
    await until('b came', () => reflector.get(`${namespace}/b`) === '1')
    expect(troubles).toEqual([new Error('a handler of the test')])
    stop.abort()
    await running
  })
})

describe.concurrent('connections that fail', () => {
  test('are made anew, and what happened meanwhile is told: one that was made again is gone and come', async () => {
    const namespace = await freshNamespace()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const { reflector, changes, troubles, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    await put(namespace, 'again', 'old')
    await put(namespace, 'gone', 'old')
    await becomes('gone', 'old')
    proxy.refuse()
    await drop(namespace, 'again')
    await put(namespace, 'again', 'new')
    await drop(namespace, 'gone')
    await until('the trouble was told', () => troubles.length > 0)
    proxy.heal()
    await becomes('again', 'new')
    await becomes('gone', undefined)
    expect(changes.slice(2).toSorted()).toEqual(
      [
        ['again', undefined, 'old'],
        ['again', 'new', undefined],
        ['gone', undefined, 'old'],
      ].toSorted(),
    )
    expect(changes.findIndex(([key, now]) => key === 'again' && now === undefined)).toBeLessThan(
      changes.findIndex(([key, now]) => key === 'again' && now === 'new'),
    )
    expect(troubles).toEqual(['kube_unreachable'])
  })

  test('that are cut again and again cost nothing but time', async () => {
    const namespace = await freshNamespace()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const { reflector, changes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    for (let i = 0; i < 20; i++) {
      await put(namespace, `cut-${i}`, 'here')
      proxy.cut()
    }
    await until('all of it is there', () => reflector.size() === 20)
    expect(changes.length).toBe(20)
  })

  test('that are open and dead are noticed within the time of a watch', async () => {
    const namespace = await freshNamespace()
    const proxy = await startKubeFaultProxy(cluster)
    const { reflector, troubles, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    await put(namespace, 'a', '1')
    await becomes('a', '1')
    proxy.freeze()
    await put(namespace, 'a', '2')
    await becomes('a', '2', 12_000)
    expect(troubles).toEqual(['kube_timeout'])
  })
})

describe.concurrent('a server that answers badly', () => {
  test('is asked ever more seldom, told of once, and followed again soon', async () => {
    const namespace = await freshNamespace()
    const proxy = await startKubeFaultProxy(cluster)
    const { reflector, troubles, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    for (const [status, code] of [
      [429, 'kube_throttled'],
      [500, 'kube_unavailable'],
    ] as const) {
      proxy.fault(() => ({ kind: 'answer', status, body: 'overloaded' }))
      const before = proxy.asked().length
      proxy.cut()
      await put(namespace, 'a', code)
      await new Promise((resolve) => setTimeout(resolve, 2000))
      expect(proxy.asked().length - before).toBeLessThan(10)
      expect(troubles.filter((one) => one === code)).toEqual([code])
      proxy.fault(() => undefined)
      await becomes('a', code, 6000)
    }
  })

  test('with a line that is no JSON is not followed further, and nothing is lost', async () => {
    const namespace = await freshNamespace()
    const proxy = await startKubeFaultProxy(cluster)
    const { reflector, troubles, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    await put(namespace, 'a', '1')
    await becomes('a', '1')
    proxy.inject('{"type":"MODIFIED","object":{"meta\n')
    await put(namespace, 'a', '2')
    await becomes('a', '2')
    expect(troubles).toEqual(['kube_not_understood'])
    await put(namespace, 'a', '3')
    await becomes('a', '3')
  })

  test('that loses its past in the middle of a list is asked from the start, and nothing vanishes meanwhile', async () => {
    const namespace = await freshNamespace()
    for (let i = 0; i < 20; i++) await put(namespace, `page-${i}`, 'here')
    const proxy = await startKubeFaultProxy(cluster)
    const { reflector, changes, troubles } = start(clientOf(accessOf(folder, proxy)), namespace, 3)
    await reflector.whenSynced()
    let left = 2
    const gone = JSON.stringify({ kind: 'Status', code: 410, reason: 'Expired', metadata: { continue: 'x' } })
    proxy.fault(({ path }) =>
      path.includes('continue=') && left-- > 0 ? { kind: 'answer', status: 410, body: gone } : undefined,
    )
    await drop(namespace, 'page-9')
    await reflector.relist()
    expect([left, reflector.size()]).toEqual([0, 19])
    expect(changes.slice(20)).toEqual([['page-9', undefined, 'here']])
    expect(troubles).toEqual([])
  })
})

describe('an API server that is stopped, killed, or given another past', () => {
  test('stopped: how old our knowledge is shows, and it is followed again when it goes on', async () => {
    const namespace = await freshNamespace()
    const { reflector, becomes, troubles } = start(direct(), namespace)
    await reflector.whenSynced()
    cluster.apiServer.pause()
    await until('it is known to be old', () => reflector.staleMs() > 9000, 12_000)
    await until('the trouble was told', () => troubles.includes('kube_timeout'))
    cluster.apiServer.resume()
    await put(namespace, 'a', '1')
    await becomes('a', '1', 8000)
    await until('it is known to be current', () => reflector.staleMs() < 1000, 10_000)
  })

  test('killed, with a history that was compacted meanwhile: deletions are told, and nothing else vanishes', async () => {
    const namespace = await freshNamespace()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const { reflector, changes, becomes } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    for (const name of ['stays', 'goes']) await put(namespace, name, 'old')
    await becomes('goes', 'old')
    proxy.refuse()
    await drop(namespace, 'goes')
    await put(namespace, 'comes', 'new')
    await cluster.compact()
    await cluster.apiServer.kill()
    await cluster.apiServer.start()
    proxy.heal()
    await becomes('comes', 'new', 8000)
    expect(changes.slice(2).toSorted()).toEqual([
      ['comes', 'new', undefined],
      ['goes', undefined, 'old'],
    ])
  })

  test('restored from a backup, whose numbers have passed ours meanwhile or not: what it holds is what counts', async () => {
    const namespace = await freshNamespace()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const { reflector, becomes, get, troubles } = start(clientOf(accessOf(folder, proxy)), namespace)
    await reflector.whenSynced()
    await put(namespace, 'changed', 'before')
    await put(namespace, 'deleted', 'before')
    const backup = join(temporaryFolder(), 'backup')
    await cluster.snapshot(backup)
    const since = async () => {
      await put(namespace, 'changed', 'after')
      await drop(namespace, 'deleted')
      await put(namespace, 'made', 'after')
      for (let i = 0; i < 30; i++) await put(namespace, 'busy', `${i}`)
      await becomes('busy', '29', 8000)
    }
    await since()
    await cluster.restore(backup)
    await becomes('changed', 'before', 8000)
    await becomes('deleted', 'before')
    expect([get('made'), get('busy')]).toEqual([undefined, undefined])
    expect(troubles).toContain('kube_went_back')

    await since()
    proxy.refuse()
    await cluster.restore(backup)
    for (let i = 0; i < 200; i++) await put(namespace, 'other', `${i}`)
    proxy.heal()
    await becomes('other', '199', 8000)
    await becomes('changed', 'before')
    await becomes('deleted', 'before')
    expect([get('made'), get('busy')]).toEqual([undefined, undefined])
  })
})
