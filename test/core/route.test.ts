import { describe, expect, test } from 'vitest'
import {
  compileRoutes,
  isMethod,
  METHODS,
  type Method,
  methodsOf,
  parametersOf,
  permissionFor,
  type RouteSpec,
  ties,
} from '../../src/core/route.ts'
import { type Draw, seeded } from '../corpus/seeded.ts'

const segmentsOf = (path: string): readonly string[] => path.slice(1).split('/')

/** The path of the route that answers, and its parameters. */
function answer(routes: readonly RouteSpec[], method: Method, path: string): string | undefined {
  const found = compileRoutes(routes).match(method, segmentsOf(path))
  if (found === undefined) return undefined
  return `${found.route.path} ${JSON.stringify(found.parameters)}`
}

const get = (path: string): RouteSpec => ({ methods: ['GET'], path, authenticated: true })

describe('which paths a route matches', () => {
  test.each<[string, string, string | undefined]>([
    ['/', '/', '{}'],
    ['/a', '/a', '{}'],
    ['/a', '/a/', undefined],
    ['/a/', '/a/', '{}'],
    ['/a/', '/a', undefined],
    ['/a', '/A', undefined],
    ['/a', '/', undefined],
    ['/a', '/a/b', undefined],
    ['/a/b', '/a', undefined],
    ['/{x}', '/a', '{"x":"a"}'],
    ['/{x}', '/', undefined],
    ['/{x}', '/a/', undefined],
    ['/{x}', '/a/b', undefined],
    ['/{x}/', '/a/', '{"x":"a"}'],
    ['/a/{x}', '/a/', undefined],
    ['/a/{x}/c', '/a/b/c', '{"x":"b"}'],
    ['/{x}/{y}', '/a/b', '{"x":"a","y":"b"}'],
    ['/{x}', '/é & ü', '{"x":"é & ü"}'],
    ['/{x}', '/{x}', '{"x":"{x}"}'],
    ['/{__proto__}', '/a', '{"__proto__":"a"}'],
    ['/a', '/constructor', undefined],
    ['/**', '/', '{}'],
    ['/**', '/a', '{}'],
    ['/**', '/a/b/c/', '{}'],
    ['/a/**', '/a/', '{}'],
    ['/a/**', '/a/b', '{}'],
    ['/a/**', '/a/b/c/d', '{}'],
    ['/a/**', '/a', undefined],
    ['/a/**', '/ab', undefined],
    ['/a/**', '/b/a/', undefined],
    ['/{x}/**', '/a/b', '{"x":"a"}'],
    ['/{x}/**', '/a', undefined],
    ['/a/{x}/**', '/a/b/', '{"x":"b"}'],
  ])('%s and the path %s: %s', (route, path, parameters) => {
    expect(answer([get(route)], 'GET', path)).toBe(parameters === undefined ? undefined : `${route} ${parameters}`)
  })
})

describe('the most specific route wins', () => {
  test.each<[string, string[], string, string]>([
    ['a literal over a parameter', ['/{x}', '/a'], '/a', '/a {}'],
    ['a parameter over the rest', ['/**', '/{x}'], '/a', '/{x} {"x":"a"}'],
    ['a literal over the rest', ['/**', '/a'], '/a', '/a {}'],
    ['the longer rest', ['/**', '/a/**', '/a/b/**'], '/a/b/c', '/a/b/** {}'],
    ['what differs first from the left', ['/{x}/b', '/a/{y}'], '/a/b', '/a/{y} {"y":"b"}'],
    ['a literal and the rest over parameters', ['/{x}/{y}', '/a/**'], '/a/b', '/a/** {}'],
    ['a wider one where the narrower leads nowhere', ['/a/b/c', '/{x}/b/d'], '/a/b/d', '/{x}/b/d {"x":"a"}'],
    ['the rest where nothing narrower fits', ['/a/{x}/c', '/a/**'], '/a/b/d', '/a/** {}'],
    ['a parameter of the way back, and of no blind alley', ['/{x}/{y}/c', '/{z}/**'], '/a/b/d', '/{z}/** {"z":"a"}'],
    ['the same with a literal before', ['/a/{y}/{w}/c', '/{x}/b/{z}/d'], '/a/b/1/d', '/{x}/b/{z}/d {"x":"a","z":"1"}'],
  ])('%s', (_what, paths, path, wanted) => {
    expect(answer(paths.map(get), 'GET', path)).toBe(wanted)
    expect(answer(paths.toReversed().map(get), 'GET', path)).toBe(wanted)
  })

  test('a narrower route of another method does not hide a wider one of this method', () => {
    const routes: RouteSpec[] = [
      { methods: ['GET'], path: '/a/b', authenticated: true },
      { methods: ['POST'], path: '/a/{x}', authenticated: true },
      { methods: ['DELETE'], path: '/a/**', authenticated: true },
    ]
    expect(METHODS.map((method) => answer(routes, method, '/a/b'))).toEqual([
      '/a/b {}',
      '/a/b {}',
      '/a/{x} {"x":"b"}',
      undefined,
      undefined,
      '/a/** {}',
      undefined,
      undefined,
    ])
  })
})

describe('methods', () => {
  test.each<[Method[] | undefined, Method[]]>([
    [['GET'], ['GET', 'HEAD']],
    [['HEAD'], ['HEAD']],
    [
      ['POST', 'GET'],
      ['GET', 'HEAD', 'POST'],
    ],
    [['OPTIONS'], ['OPTIONS']],
    [undefined, ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY']],
  ])('a route for %j answers %j', (methods, answered) => {
    const found = methodsOf({ methods })
    expect(METHODS.filter((method) => found.has(method))).toEqual(answered)
  })

  test.each(['TRACE', 'CONNECT', 'get', 'Get', 'FOO', '', 'GET ', 'constructor'])(
    '%j is no method that is answered',
    (text) => {
      expect(isMethod(text)).toBe(false)
    },
  )

  test.each<[Partial<RouteSpec>, Partial<Record<Method, string>>]>([
    [{ permission: 'a:r' }, { GET: 'a:r', HEAD: 'a:r', POST: 'a:r' }],
    [{ permissionByMethod: { GET: 'a:r', '*': 'a:w' } }, { GET: 'a:r', HEAD: 'a:r', POST: 'a:w', DELETE: 'a:w' }],
    [{ permissionByMethod: { GET: 'a:r', HEAD: 'a:h', '*': 'a:w' } }, { GET: 'a:r', HEAD: 'a:h' }],
    [{ permissionByMethod: { '*': 'a:w' } }, { GET: 'a:w', HEAD: 'a:w' }],
    [{ permissionByMethod: { POST: 'a:w' } }, {}],
    [{ authenticated: true }, {}],
  ])('a route with %j asks for %j', (wanted, asked) => {
    const spec: RouteSpec = { path: '/a', ...wanted }
    for (const method of ['GET', 'HEAD', 'DELETE'] as const) {
      if (asked[method] !== undefined) expect(permissionFor(spec, method)).toBe(asked[method])
      else if (Object.keys(asked).length === 0) expect(permissionFor(spec, method)).toBeUndefined()
    }
  })

  test('the parameters of a path are named in their order', () => {
    expect(parametersOf('/v1/{customer}/a/{id}/**')).toEqual(['customer', 'id'])
    expect(parametersOf('/v1/**')).toEqual([])
  })
})

describe('ties', () => {
  test.each<[string, RouteSpec[], unknown[]]>([
    ['parameters of other names', [get('/a/{x}'), get('/a/{y}')], [{ first: 0, second: 1, methods: ['GET', 'HEAD'] }]],
    ['the same path twice', [get('/a'), get('/b'), get('/a')], [{ first: 0, second: 2, methods: ['GET', 'HEAD'] }]],
    ['the rest twice', [get('/**'), get('/**')], [{ first: 0, second: 1, methods: ['GET', 'HEAD'] }]],
    ['GET and HEAD', [get('/a'), { ...get('/a'), methods: ['HEAD'] }], [{ first: 0, second: 1, methods: ['HEAD'] }]],
    ['other methods', [get('/a'), { ...get('/a'), methods: ['POST'] }], []],
    ['a trailing slash', [get('/a'), get('/a/')], []],
    ['a literal and a parameter', [get('/a/{x}'), get('/a/b')], []],
    ['a parameter and the rest', [get('/a/{x}'), get('/a/**')], []],
    ['crossed literals', [get('/{x}/b'), get('/a/{y}')], []],
  ])('%s', (_what, routes, found) => {
    expect(ties(routes)).toEqual(found)
  })
})

// The reference is written from the published text alone: every route that matches, and of those the best.
const KIND_ORDER = { literal: 2, parameter: 1, rest: 0 } as const
const kindsOf = (path: string): number[] =>
  segmentsOf(path).map((part) => KIND_ORDER[part === '**' ? 'rest' : /^\{.*\}$/.test(part) ? 'parameter' : 'literal'])

function answersMethod({ methods }: RouteSpec, method: Method): boolean {
  if (methods === undefined) return method !== 'OPTIONS'
  return methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))
}

function matchesPath(route: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [segmentsOf(route), segmentsOf(path)]
  const open = wanted.at(-1) === '**'
  const fixed = open ? wanted.slice(0, -1) : wanted
  if (open ? given.length <= fixed.length : given.length !== fixed.length) return undefined
  const bound: Record<string, string> = {}
  for (const [i, part] of fixed.entries()) {
    const value = given[i] ?? ''
    const name = /^\{(.*)\}$/.exec(part)?.[1]
    if (name === undefined ? part !== value : value === '') return undefined
    if (name !== undefined) bound[name] = value
  }
  return bound
}

/** Positive where the first is more specific; 0 for the same shape. */
function compareSpecificity(first: string, second: string): number {
  const [a, b] = [kindsOf(first), kindsOf(second)]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

function slowMatch(routes: readonly RouteSpec[], method: Method, path: string) {
  const matching = routes.flatMap((route) => {
    const parameters = answersMethod(route, method) ? matchesPath(route.path, path) : undefined
    return parameters === undefined ? [] : [{ path: route.path, parameters }]
  })
  return matching.sort((a, b) => compareSpecificity(b.path, a.path))[0]
}

const LITERALS = ['a', 'b', 'c', 'd'] as const

function drawRoute(draw: Draw): RouteSpec {
  const depth = 1 + draw.below(4)
  const parts = Array.from({ length: depth }, (_, i) => (draw.chance(0.4) ? `{p${i}}` : draw.pick(LITERALS)))
  if (draw.chance(0.3)) parts[depth - 1] = '**'
  else if (draw.chance(0.1)) parts[depth - 1] = ''
  const methods = draw.chance(0.2) ? undefined : METHODS.filter(() => draw.chance(0.4))
  return { path: `/${parts.join('/')}`, authenticated: true, methods: methods?.length === 0 ? ['GET'] : methods }
}

const drawPath = (draw: Draw): string =>
  `/${Array.from({ length: 1 + draw.below(5) }, () => draw.pick(LITERALS)).join('/')}${draw.chance(0.15) ? '/' : ''}`

/** Routes without ties, as a manifest that is accepted has them. */
function drawTable(draw: Draw): RouteSpec[] {
  const routes: RouteSpec[] = []
  const wanted = 1 + draw.below(14)
  for (let i = 0; i < wanted; i++) {
    const route = drawRoute(draw)
    if (ties([...routes, route]).length === 0) routes.push(route)
  }
  return routes
}

describe('laws', () => {
  test('on 100,000 requests to random tables a slow matcher written from the published text agrees', () => {
    const draw = seeded(20261122)
    const disagreements: string[] = []
    let matched = 0
    for (let t = 0; t < 2000; t++) {
      const routes = drawTable(draw)
      const table = compileRoutes(routes)
      for (let p = 0; p < 50; p++) {
        const path = drawPath(draw)
        const method = draw.pick(METHODS)
        const fast = table.match(method, segmentsOf(path))
        const slow = slowMatch(routes, method, path)
        if (slow !== undefined) matched++
        const alike =
          fast?.route.path === slow?.path &&
          (!slow?.path.includes('{') || JSON.stringify(fast?.parameters) === JSON.stringify(slow.parameters))
        if (!alike) disagreements.push(`${method} ${path} of ${routes.map((route) => route.path)}`)
      }
    }
    expect(disagreements.slice(0, 5)).toEqual([])
    expect(matched).toBeGreaterThan(20_000)
  })

  test('the order of the routes never matters', () => {
    const draw = seeded(7)
    for (let t = 0; t < 100; t++) {
      const routes = drawTable(draw)
      const ranks = new Map(routes.map((route) => [route, draw.below(1_000_000)]))
      const shuffled = routes.toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0))
      for (let p = 0; p < 20; p++) {
        const [method, path] = [draw.pick(METHODS), drawPath(draw)]
        expect(answer(shuffled, method, path)).toBe(answer(routes, method, path))
      }
    }
  })

  test('a more specific route never loses: where a route answers, a narrower one of the same methods takes over', () => {
    const draw = seeded(11)
    let narrowed = 0
    for (let t = 0; t < 1000; t++) {
      const routes = drawTable(draw)
      const [method, path] = [draw.pick(METHODS), drawPath(draw)]
      const found = compileRoutes(routes).match(method, segmentsOf(path))
      if (found === undefined) continue
      // one parameter of it written out, or its rest, as the request has it
      const given = segmentsOf(path)
      const parts = segmentsOf(found.route.path)
      const at = parts.findIndex((part) => part === '**' || part.startsWith('{'))
      if (at === -1) continue
      const rest = parts[at] === '**' ? given.slice(at) : [given[at] ?? '', ...parts.slice(at + 1)]
      const narrower: RouteSpec = { ...found.route, path: `/${[...parts.slice(0, at), ...rest].join('/')}` }
      if (ties([...routes, narrower]).length > 0) continue
      narrowed++
      expect(compileRoutes([...routes, narrower]).match(method, segmentsOf(path))?.route.path).toBe(narrower.path)
    }
    expect(narrowed).toBeGreaterThan(150)
  })

  test('a tie is found if and only if two routes of one shape share a method, and no two others can answer at once unordered', () => {
    const draw = seeded(13)
    for (let t = 0; t < 400; t++) {
      const routes = Array.from({ length: 6 }, () => drawRoute(draw))
      const slow = routes.flatMap((second, j) =>
        routes.slice(0, j).flatMap((first, i) => {
          const methods = METHODS.filter((method) => answersMethod(first, method) && answersMethod(second, method))
          const sameShape = first.path.replaceAll(/\{\w+\}/g, '*') === second.path.replaceAll(/\{\w+\}/g, '*')
          return sameShape && methods.length > 0 ? [{ first: i, second: j, methods }] : []
        }),
      )
      const fast = ties(routes).map((tie) => ({ ...tie, methods: METHODS.filter((m) => tie.methods.includes(m)) }))
      expect(fast).toEqual(slow)
      for (let p = 0; p < 5; p++) {
        const path = drawPath(draw)
        const matching = routes.filter((route) => matchesPath(route.path, path) !== undefined)
        for (const a of matching) {
          for (const b of matching) {
            const sameShape = a.path.replaceAll(/\{\w+\}/g, '*') === b.path.replaceAll(/\{\w+\}/g, '*')
            expect(compareSpecificity(a.path, b.path) === 0).toBe(sameShape)
          }
        }
      }
    }
  })
})
