/** What a status says of adapters is what a request through them is answered. */
import { describe, expect, test } from 'vitest'
import { ADAPTERS, type Adapter } from '../../src/core/adapter.ts'
import { decide } from '../../src/core/decide.ts'
import type { Method, Narrow, RouteSpec } from '../../src/core/route.ts'
import { servedBy } from '../../src/resources/served-by.ts'
import { aKey, anApi, anIndex, aRequest, NOON } from '../support/make.ts'

const list = (path: string, narrow: Narrow, methods?: readonly Method[]): RouteSpec => ({
  ...(methods !== undefined && { methods }),
  path,
  permission: 'workspace:read',
  resource: 'workspace',
  reach: { application: 'within' },
  narrow,
})
const FILTER = { items: '/items', id: '/id' }
const ROUTES: readonly RouteSpec[] = [
  { methods: ['GET'], path: '/healthz', public: true },
  { methods: ['GET'], path: '/things', permission: 'workspace:read' },
  list('/by-query', { query: 'id' }, ['GET', 'POST']),
  list('/by-filter', { filter: FILTER }, ['HEAD', 'QUERY']),
  list('/by-both', { query: 'id', filter: FILTER }, ['GET']),
  list('/by-either', { query: 'id', upstream: true }),
  list('/upstream', { upstream: true }),
]

test('each adapter is named with the lists that it can not cut', () => {
  expect(servedBy(ROUTES)).toEqual([
    { name: 'ReverseProxy', serves: 7 },
    {
      name: 'EnvoyGRPC',
      serves: 5,
      refuses: ['HEAD,QUERY /by-filter: narrow.filter', 'GET /by-both: narrow.filter'],
    },
    {
      name: 'HTTPCheck',
      serves: 3,
      refuses: [
        'GET /by-query: narrow.query',
        'HEAD,QUERY /by-filter: narrow.filter',
        'GET /by-both: narrow.filter',
        'GET,QUERY /by-either: narrow.query',
      ],
    },
  ])
})

describe.each(Object.keys(ADAPTERS) as Adapter[])('through %s', (name) => {
  const refuses = servedBy(ROUTES).find((one) => one.name === name)?.refuses ?? []

  test.each(ROUTES.map(({ path }) => path))('%s is answered as it says', (path) => {
    const key = aKey({ accessNamespace: 'acme-web', held: ['workspace:read'], asked: ['workspace:read'] })
    const index = anIndex({ apis: [anApi({ routes: ROUTES })], keys: [key] })
    const method = path === '/by-filter' ? 'QUERY' : 'GET'
    const ruling = decide(aRequest({ key, method, target: path, ability: ADAPTERS[name] }), index, NOON)
    const told = refuses.some((text) => text.includes(` ${path}:`)) ? 'narrowing_unavailable' : 'allow'
    expect(ruling.kind === 'deny' ? ruling.code : ruling.kind).toBe(told)
  })
})
