/** The parts of the API of standalone that need no process. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { openBook } from '../../src/standalone/rest/book.ts'
import { callOf, isDryRun } from '../../src/standalone/rest/call.ts'
import { draftOf } from '../../src/standalone/rest/draft.ts'
import { makeGuard } from '../../src/standalone/rest/guard.ts'
import { targetOf } from '../../src/standalone/rest/kinds.ts'
import { merged } from '../../src/standalone/rest/merge-patch.ts'
import { tooMany } from '../../src/standalone/rest/refusal.ts'
import { selectorOf } from '../../src/standalone/rest/selectors.ts'
import { makeRest } from '../../src/standalone/rest/serve.ts'
import { type Held, show } from '../../src/standalone/rest/shown.ts'
import { makeStanding, type Problem } from '../../src/standalone/rest/standing.ts'
import { rowOf, wantsTable } from '../../src/standalone/rest/table.ts'

const TOKEN = 'a'.repeat(43)
const held = (over: Partial<Held> = {}): Held => ({
  ...{ kind: 'AccessNamespace', namespace: '', name: 'acme', uid: 'u', generation: 1, file: '', line: 0 },
  manifest: {
    metadata: { name: 'acme', labels: { tier: 'gold', 'example.com/team': 'web' } },
    spec: { type: 'organization' },
  },
  firstSeenMs: 0,
  ...over,
})

const target = (path: string) => {
  const found = targetOf(`/apis/keyward.dev/v1alpha1/${path}`)
  if (found === undefined) throw new Error('nowhere')
  return found
}

test('nothing of a query gets lost behind a second question mark', () => {
  const { path, query } = callOf('DELETE', '/apis/x?fieldSelector=metadata.name%3Da?&dryRun=All', '')
  expect([path, query.get('fieldSelector'), isDryRun(query.getAll('dryRun'))]).toEqual([
    '/apis/x',
    'metadata.name=a?',
    true,
  ])
})

describe('the Host of a request', () => {
  const passes = (listen: string, host: string) => {
    try {
      makeGuard(TOKEN, listen)({ rawHeaders: ['Host', host, 'Authorization', `Bearer ${TOKEN}`] })
      return true
    } catch {
      return false
    }
  }

  test.each([
    ['127.0.0.1', 'localhost:8088', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', 'keyward:8088', false],
    ['127.0.0.1', 'localhost.evil.example', false],
    ['127.0.0.1', '127.0.0.1.evil.example', false],
    ['127.0.0.1', '', false],
    ['0.0.0.0', 'keyward:8088', true],
    ['0.0.0.0', 'evil.example', false],
    ['::', '[fe80::1]:8088', true],
  ])('where %s is listened on: %s', (listen, host, expected) => {
    expect(passes(listen, host)).toBe(expected)
  })

  test('is refused where it stands twice, and so is the token', () => {
    const guard = makeGuard(TOKEN, '127.0.0.1')
    const [host, token] = [
      ['Host', 'localhost'],
      ['Authorization', `Bearer ${TOKEN}`],
    ]
    expect(() => guard({ rawHeaders: [...host, ...token] })).not.toThrow()
    expect(() => guard({ rawHeaders: [...host, ...host, ...token] })).toThrow('twice')
    expect(() => guard({ rawHeaders: [...host, ...token, ...token] })).toThrow('twice')
    expect(() => guard({ rawHeaders: [...host, 'Authorization', `Bearer ${TOKEN}a`] })).toThrow('Unauthorized')
  })
})

describe('selectors', () => {
  const object = show(held(), 1, undefined)
  test.each([
    ['tier=gold', '', true],
    ['tier==silver', '', false],
    ['tier!=silver,example.com/team', '', true],
    ['tier in (gold, silver),!absent', '', true],
    ['tier notin (gold)', '', false],
    ['', 'metadata.name=acme', true],
    ['', 'metadata.name!=acme', false],
    ['', 'spec.type=organization', true],
    ['', 'spec.parent=', true],
  ])('labels %s, fields %s', (labels, fields, expected) => {
    expect(selectorOf({ labels, fields }, ['.spec.type', '.spec.parent'])?.selects(object)).toBe(expected)
  })

  test('that nobody can read are refused, and none is none', () => {
    expect(() => selectorOf({ labels: 'a b', fields: '' }, [])).toThrow('labelSelector')
    expect(() => selectorOf({ labels: '', fields: 'spec.x=1' }, [])).toThrow('fieldSelector')
    expect(selectorOf({ labels: '', fields: ' ' }, [])).toBeUndefined()
  })
})

test('a merge patch takes away by null, and a field called __proto__ is a field', () => {
  expect(merged({ a: 1, b: { c: 1, d: [1] } }, { a: null, b: { d: [2] } })).toEqual({ b: { c: 1, d: [2] } })
  const odd = merged({}, JSON.parse('{"__proto__": {"polluted": true}}'))
  expect(Object.keys(odd as object)).toEqual(['__proto__'])
  expect(({} as { polluted?: true }).polluted).toBeUndefined()
})

test('a draft brings nothing along that only a server writes', () => {
  const metadata = {
    ...{ name: 'acme', uid: 'x', resourceVersion: '7', generation: 9, deletionTimestamp: '2026-01-01T00:00:00Z' },
    ...{ finalizers: ['f'], annotations: { 'keyward.dev/file': 'a.yaml:1' }, labels: null },
  }
  const body = { apiVersion: 'keyward.dev/v1alpha1', kind: 'AccessNamespace', metadata, spec: {}, status: {} }
  expect(draftOf(body, target('accessnamespaces/acme'))).toEqual({
    manifest: {
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'AccessNamespace',
      metadata: { name: 'acme' },
      spec: {},
    },
    ...{ name: 'acme', generateName: undefined, uid: 'x', resourceVersion: '7' },
  })
})

test('rows tell ages in one unit', () => {
  const { resource } = target('accessnamespaces')
  const ages = [45_000, 119_000, 120_000, 10_799_000, 10_800_000, 172_800_000, 63_072_000_000].map((now) => {
    const { cells } = rowOf(resource, show(held(), 1, undefined), now) as { cells: readonly unknown[] }
    return cells.find((cell) => /^\d+[smhdy]$/.test(String(cell)))
  })
  expect(ages).toEqual(['45s', '119s', '2m', '179m', '3h', '2d', '2y'])
  expect(wantsTable('application/json;as=Table;v=v1;g=meta.k8s.io,application/json')).toBe(true)
  expect(wantsTable('application/json')).toBe(false)
})

describe('the book', () => {
  test('gives every change a version of its own, and tells what was missed as long as it remembers', () => {
    const objects = new Map([['AccessNamespace//acme', held()]])
    const book = openBook(
      { find: (key) => objects.get(key), all: () => objects.values(), statusOf: () => undefined, forget: () => {} },
      100,
    )
    expect(book.get('AccessNamespace//acme')?.version).toBe(100)
    book.touched('AccessNamespace//acme')
    const other = held({ name: 'other', uid: 'o' })
    objects.set('AccessNamespace//other', other)
    book.came(other)
    expect(book.since(100)?.map(({ type, version }) => [type, version])).toEqual([
      ['MODIFIED', 101],
      ['ADDED', 102],
    ])
    expect([book.since(102), book.since(99), book.since(103)]).toEqual([[], undefined, undefined])
    for (let i = 0; i < 1100; i++) book.touched('AccessNamespace//acme')
    expect(book.since(100)).toBeUndefined()
    expect(book.since(book.version() - 1024)).toHaveLength(1024)
  })
})

test.each([
  ['while all is being loaded', undefined, 503, '1'],
  ['where there are too many', tooMany('too many', 5), 429, '5'],
])('clients are told when to ask again %s', async (_when, refusal, status, seconds) => {
  const nothing = { find: () => undefined, all: () => [], statusOf: () => undefined, forget: () => undefined }
  const { handler } = makeRest({
    ...{ book: openBook(nothing, 1), statusOf: () => undefined, version: '0', nowMs: () => 0 },
    ...{ submit: () => Promise.reject(new Error('never asked')), random: (count) => new Uint8Array(count) },
    guard: () => {
      if (refusal !== undefined) throw refusal
    },
    missing: () => 'the manifests are being loaded',
    onFault: () => undefined,
  })
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/apis/keyward.dev/v1alpha1/apikeys`
  const answer = await fetch(url)
  await answer.text()
  server.closeAllConnections()
  server.close()
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, seconds])
})

test('an object that is made again under a name begins with conditions of its own', () => {
  const state = { now: 1_000, problems: [] as Problem[] }
  const { statusOf } = makeStanding({
    reported: () => undefined,
    problemsOf: () => state.problems,
    nowMs: () => state.now,
  })
  const since = (object: Held) => {
    const { conditions } = statusOf(object) as { readonly conditions: readonly Record<string, unknown>[] }
    return conditions.map(({ reason, lastTransitionTime }) => [reason, lastTransitionTime])
  }
  state.problems = [{ file: 'a.yaml', line: 1, field: 'spec', message: 'wrong', severity: 'error' }]
  expect(since(held())).toEqual([['EditRefused', '1970-01-01T00:00:01Z']])
  state.problems = [{ file: 'a.yaml', line: 1, field: '', message: 'without effect', severity: 'warning' }]
  state.now = 3_000
  expect(since(held())).toEqual([['AcceptedWithWarnings', '1970-01-01T00:00:03Z']])
  state.problems = []
  state.now = 9_000
  expect(since(held({ uid: 'another', firstSeenMs: 5_000 }))).toEqual([['Accepted', '1970-01-01T00:00:05Z']])
})
