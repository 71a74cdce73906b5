import { describe, expect, test } from 'vitest'
import { makeObjectStore } from '../../src/kube/object-store.ts'
import type { KubeObject } from '../../src/kube/objects.ts'

const object = (name: string, version: number, uid = `uid-of-${name}`): KubeObject => ({
  metadata: {
    ...{ name, namespace: 'team', uid, resourceVersion: String(version), creationTimestamp: '2026-01-01T00:00:00Z' },
    managedFields: [{ manager: 'someone' }],
  },
})

function storeOf(read: (object: KubeObject) => unknown = ({ metadata }) => metadata.resourceVersion) {
  const changes: unknown[][] = []
  const thrown: unknown[] = []
  const store = makeObjectStore<unknown>({
    read,
    keepManagedFields: false,
    onChange: (...change) => changes.push(change),
    onThrown: (error) => thrown.push(error),
  })
  const list = (version: number, ...objects: readonly KubeObject[]) => {
    const listing = store.beginList()
    for (const one of objects) listing.add(one)
    return listing.finish(String(version))
  }
  return { store, changes, thrown, list }
}

describe('a list', () => {
  test('replaces what was known before, by what has changed only', () => {
    const { changes, list } = storeOf()
    list(10, object('a', 1), object('b', 2))
    changes.length = 0
    expect(list(20, object('a', 1), object('c', 15))).toBe(false)
    expect(changes).toEqual([
      ['team/b', undefined, '2'],
      ['team/c', '15', undefined],
    ])
  })

  test('tells of one that was deleted and made again as gone, then come', () => {
    const { changes, list } = storeOf()
    list(10, object('a', 1, 'first'))
    list(20, object('a', 15, 'second'))
    expect(changes.slice(1)).toEqual([
      ['team/a', undefined, '1'],
      ['team/a', '15', undefined],
    ])
  })

  test('takes nothing away that was written after it, and brings nothing back', () => {
    const { store, changes, list } = storeOf()
    list(10, object('changed', 1), object('deleted', 2))
    const listing = store.beginList()
    listing.add(object('changed', 1))
    listing.add(object('deleted', 2))
    store.note(object('changed', 21))
    store.note(object('made', 22))
    store.noteGone('team/deleted', 'uid-of-deleted')
    changes.length = 0
    expect(listing.finish('20')).toBe(false)
    expect([store.get('team/changed'), store.get('team/made'), store.get('team/deleted')]).toEqual([
      '21',
      '22',
      undefined,
    ])
    expect(changes).toEqual([])
  })

  test('with a number below the one that we knew is the truth about everything', () => {
    const { store, list } = storeOf()
    list(100, object('a', 90), object('b', 95))
    expect(list(50, object('a', 40))).toBe(true)
    expect([...store.entries()]).toEqual([['team/a', '40']])
    store.watched(object('a', 51), false)
    expect(store.get('team/a')).toBe('51')
  })

  test('is the truth about what it is newer than, though single numbers are lower than before', () => {
    const { store, list } = storeOf()
    list(100, object('a', 90))
    expect(list(200, object('a', 40))).toBe(false)
    expect(store.get('team/a')).toBe('40')
  })
})

describe('what we know ourselves', () => {
  test('is compared as a number of any length', () => {
    const { store, list } = storeOf()
    list(9, object('a', 9))
    store.note(object('a', 10))
    expect(store.get('team/a')).toBe('10')
    store.note({ metadata: { ...object('a', 1).metadata, resourceVersion: '90071992547409931' } })
    store.note({ metadata: { ...object('a', 1).metadata, resourceVersion: '90071992547409930' } })
    expect(store.get('team/a')).toBe('90071992547409931')
  })

  test('does not bring back what the watch has seen deleted', () => {
    const { store, list } = storeOf()
    list(10, object('a', 1))
    store.watched(object('a', 12), true)
    store.note(object('a', 11))
    expect(store.size()).toBe(0)
  })

  test('is not undone by events that are on their way', () => {
    const { store, changes, list } = storeOf()
    list(10)
    store.note(object('a', 12))
    store.watched(object('a', 11), false)
    expect(store.get('team/a')).toBe('12')
    store.noteGone('team/a', 'uid-of-a')
    store.watched(object('a', 12), false)
    store.watched(object('a', 13), true)
    store.watched(object('a', 14, 'another'), false)
    expect(changes).toEqual([
      ['team/a', '12', undefined],
      ['team/a', undefined, '12'],
      ['team/a', '14', undefined],
    ])
  })
})

test('an object that cannot be read counts as not there, and the others are read', () => {
  const { store, thrown, list } = storeOf(({ metadata }) => {
    if (metadata.resourceVersion === '5') throw new Error('unreadable')
    return metadata.resourceVersion
  })
  list(4, object('a', 1), object('b', 2))
  store.watched(object('a', 5), false)
  expect([...store.entries()]).toEqual([['team/b', '2']])
  list(6, object('a', 5), object('c', 6))
  expect([...store.entries()]).toEqual([['team/c', '6']])
  expect(thrown.length).toBe(2)
})

test('who wrote which field is dropped before anything is kept', () => {
  const { store, list } = storeOf((read) => Object.keys(read.metadata).sort())
  list(1, object('a', 1))
  expect(store.get('team/a')).toEqual(['creationTimestamp', 'name', 'namespace', 'resourceVersion', 'uid'])
})
