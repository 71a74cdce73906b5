/** Methods that a route leaves out and a wider route answers for less. */
import { describe, expect, test } from 'vitest'
import type { RouteSpec } from '../../src/core/route.ts'
import { widerAnswers } from '../../src/resources/wider-route.ts'
import { aManifestFolder, apiText, lineOf, open } from '../support/manifest-folder.ts'

const ADMIN: RouteSpec = { methods: ['GET'], path: '/v1/admin', permission: 'admin:read' }
const WIDE: RouteSpec = { path: '/v1/**', authenticated: true }
const OTHERS = ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY']

describe('a wider answer', () => {
  test.each<[string, RouteSpec[], unknown[]]>([
    ['any valid key', [ADMIN, WIDE], [{ index: 0, wider: 1, methods: OTHERS }]],
    ['nobody in particular', [{ path: '/**', public: true }, ADMIN], [{ index: 1, wider: 0, methods: OTHERS }]],
    [
      'a parameter in place of a name',
      [ADMIN, { methods: ['GET', 'PUT'], path: '/v1/{any}', public: true }],
      [{ index: 0, wider: 1, methods: ['PUT'] }],
    ],
    [
      'each method, where several routes are wider',
      [
        ADMIN,
        { methods: ['PUT'], path: '/v1/{any}', public: true },
        { methods: ['DELETE', 'PUT'], path: '/v1/**', authenticated: true },
      ],
      [
        { index: 0, wider: 1, methods: ['PUT'] },
        { index: 0, wider: 2, methods: ['DELETE'] },
      ],
    ],
  ])('asks for %s', (_what, routes, found) => {
    expect(widerAnswers(routes)).toEqual(found)
  })

  test.each<[string, RouteSpec[]]>([
    ['all methods are named', [{ path: '/v1/admin', permission: 'admin:read' }, WIDE]],
    [
      'another route of the same path answers',
      [
        ADMIN,
        { methods: ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'], path: '/v1/admin', permission: 'admin:write' },
        WIDE,
      ],
    ],
    ['the wider one asks for a permission too', [ADMIN, { path: '/v1/**', permission: 'api:use' }]],
    ['the narrower one is public', [{ methods: ['GET'], path: '/v1/open', public: true }, WIDE]],
    ['the wider one is for preflights', [ADMIN, { methods: ['OPTIONS'], path: '/**', public: true }]],
    ['the other path is merely beside it', [ADMIN, { path: '/v2/**', public: true }]],
    [
      'the other path has another name in it',
      [
        { methods: ['GET'], path: '/v1/{id}', permission: 'a:b' },
        { path: '/v1/open', public: true },
      ],
    ],
  ])('is none where %s', (_what, routes) => {
    expect(widerAnswers(routes)).toEqual([])
  })
})

test('the folder warns of it, naming both routes, and takes the API all the same', async () => {
  const files = aManifestFolder({ 'api.yaml': apiText('api', ['api.example.com'], { routes: [ADMIN, WIDE] }) })
  const snapshot = await open(files).rescan()
  expect(snapshot.accepted.size).toBe(1)
  expect(snapshot.problems.map(lineOf)).toEqual([
    'api.yaml:6 spec.routes[0].path ProtectedApi default/api: Invalid value: "/v1/admin": routes[0] leaves out POST, PUT, PATCH, DELETE, QUERY, which routes[1] (/v1/**) answers, and that one asks for no permission: name the methods here too, or narrow routes[1]',
  ])
  expect(snapshot.problems.map(({ severity }) => severity)).toEqual(['warning'])
})
