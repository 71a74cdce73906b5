/** What is said of AccessNamespaces, ProtectedApis and TokenIssuers on a cluster, and that it is what authz does. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects.ts'
import { accessNamespaceOf, protectedApiOf, type Said } from '../../src/kube/policy.ts'
import { policyReaders } from '../../src/kube/policy-caches.ts'
import { hostsInForce, type PolicyInForce, treeInForce } from '../../src/kube/policy-in-force.ts'
import {
  type Due,
  makePolicyStatuses,
  type PolicyKind,
  type PolicyStatus,
  type Seen,
} from '../../src/kube/policy-status.ts'
import { leastCpuMs } from '../support/cpu-time.ts'

const NOON = Date.parse('2026-11-22T12:00:00Z')
const LATER = '2026-11-22T12:00:01Z'
const EARLIER = '2026-11-22T11:59:59Z'
const { namespaceOf, apiOf, issuerOf } = policyReaders()

type Object = { readonly created?: string; readonly generation?: number; readonly status?: unknown }

const anObject = (
  key: string,
  spec: unknown,
  { created = EARLIER, generation = 1, status }: Object = {},
): KubeObject => {
  const [first = '', second] = key.split('/')
  const named = second === undefined ? { name: first } : { namespace: first, name: second }
  const metadata = { ...named, uid: `uid of ${key}`, resourceVersion: '7', generation, creationTimestamp: created }
  return { metadata, spec, ...(status !== undefined && { status }) }
}

const ROUTE = { methods: ['GET'], path: '/things', permission: 'thing:read' }
const apiSpec = (hosts: readonly string[], more: object = {}) => ({
  environments: [{ name: 'production', hosts }],
  routes: [ROUTE],
  ...more,
})
const api = (key: string, hosts: readonly string[], more: object = {}, object: Object = {}) =>
  anObject(key, apiSpec(hosts, more), object)
const organization = (name: string, more: object = {}, object: Object = {}) =>
  anObject(name, { type: 'organization', ...more }, object)
const below = (name: string, type: string, parent: string, more: object = {}) =>
  anObject(name, { type, parent, ...more })
const ISSUER = {
  issuer: 'https://id.test',
  audiences: ['shop'],
  jwksUri: 'https://id.test/jwks',
  algorithms: ['ES256'],
  claims: { accessNamespace: 'ns', permissions: 'permissions' },
}

type Objects = {
  readonly namespaces?: readonly KubeObject[]
  readonly apis?: readonly KubeObject[]
  readonly issuers?: readonly KubeObject[]
}

const named = ({ metadata: { namespace, name } }: KubeObject) =>
  namespace === undefined ? name : `${namespace}/${name}`

/** An operator that sees one state of the cluster after the other. */
function anOperator() {
  const statuses = makePolicyStatuses()
  const before: Record<PolicyKind, readonly string[]> = { AccessNamespace: [], ProtectedApi: [], TokenIssuer: [] }
  const seenBy = <T>(kind: PolicyKind, all: readonly KubeObject[], read: (object: KubeObject) => Seen<T>) => {
    const now = all.map(named)
    for (const key of before[kind]) if (!now.includes(key)) statuses.remember(kind, key, undefined)
    before[kind] = now
    return all.map((one) => {
      const seen = read(one)
      statuses.remember(kind, named(one), seen)
      return [named(one), seen] as const
    })
  }
  return ({ namespaces = [], apis = [], issuers = [] }: Objects): readonly Due[] =>
    statuses.due(
      {
        namespaces: seenBy('AccessNamespace', namespaces, namespaceOf),
        apis: seenBy('ProtectedApi', apis, apiOf),
        issuers: seenBy('TokenIssuer', issuers, issuerOf),
      },
      NOON,
    )
}

const dueOf = (objects: Objects): readonly Due[] => anOperator()(objects)
const byKey = (due: readonly Due[]): ReadonlyMap<string, PolicyStatus> =>
  new Map(due.map(({ key, status }) => [key, status]))
const statusesOf = (objects: Objects) => byKey(dueOf(objects))

/** `True Accepted`. */
const said = (status: PolicyStatus | undefined, type = 'Accepted'): string | undefined => {
  const condition = status?.conditions.find((one) => one.type === type)
  return condition && `${condition.status} ${condition.reason}`
}
const message = (status: PolicyStatus | undefined, type = 'Accepted') =>
  status?.conditions.find((one) => one.type === type)?.message

describe('an AccessNamespace', () => {
  const acme = organization('acme')
  const web = below('web', 'application', 'acme')

  test.each<[string, KubeObject, string, string]>([
    ['that fits is accepted', below('eu', 'workspace', 'web'), 'True Accepted', 'it has its place in the tree'],
    [
      'without its parent is not',
      below('x', 'application', 'gone'),
      'False ParentMissing',
      'spec.parent: there is no AccessNamespace gone',
    ],
    [
      'below one of another type is not',
      below('x', 'workspace', 'acme'),
      'False ParentWrongType',
      'spec.parent: acme is of type organization; above type workspace stands type application',
    ],
    [
      'with the external id of an older one is not',
      organization('x', { externalId: 'acme' }, { created: LATER }),
      'False ExternalIdTaken',
      'spec.externalId: acme is already the organization acme',
    ],
    [
      'that can not be read is not',
      organization('x', { type: 'galaxy' }),
      'False SpecUnreadable',
      'spec.type: Unsupported value: "galaxy": supported values: "organization", "application", "workspace", "userGroup"; until then it goes on as it could be read last, if ever',
    ],
  ])('%s', (_sentence, object, condition, words) => {
    const status = statusesOf({ namespaces: [object, web, acme] }).get(object.metadata.name)
    expect([said(status), message(status)]).toEqual([condition, words])
  })

  test('below one that is not accepted is not either', () => {
    const statuses = statusesOf({ namespaces: [below('a', 'application', 'gone'), below('w', 'workspace', 'a')] })
    expect(said(statuses.get('w'))).toBe('False ParentNotAccepted')
  })
})

describe('a ProtectedApi', () => {
  test('says who has its hosts; a later one loses what it names too, and keeps the rest', () => {
    const first = api('z/first', ['api.test'])
    const later = api('a/later', ['own.test', 'api.test'], {}, { created: LATER })
    const statuses = statusesOf({ apis: [later, first] })
    expect(statuses.get('z/first')).toEqual({
      hosts: [{ host: 'api.test', uid: 'uid of z/first', holder: 'z/first' }],
      hostsSummary: 'api.test',
      adapters: ['ReverseProxy', 'EnvoyGRPC', 'HTTPCheck'].map((name) => ({ name, serves: 1 })),
      observedGeneration: 1,
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Accepted',
          message: 'it is in force',
          observedGeneration: 1,
          lastTransitionTime: '2026-11-22T12:00:00Z',
        },
      ],
    })
    const lost = statuses.get('a/later')
    expect(lost?.hosts).toEqual([
      { host: 'own.test', uid: 'uid of a/later', holder: 'a/later' },
      { host: 'api.test', uid: 'uid of z/first', holder: 'z/first' },
    ])
    expect(lost?.hostsSummary).toBe('own.test (1 of 2)')
    expect([said(lost), said(lost, 'HostConflict')]).toEqual(['False HostConflict', 'True HostTaken'])
    expect(message(lost)).toBe(
      'spec.environments[0].hosts[1]: Invalid value: "api.test": it already belongs to ProtectedApi z/first, which goes on serving it; it is in force on its other hosts (1)',
    )
  })

  test('without any host of its own says so', () => {
    const statuses = statusesOf({ apis: [api('a/a', ['api.test']), api('b/b', ['api.test'])] })
    expect(statuses.get('b/b')?.hostsSummary).toBe('none (0 of 1)')
    expect(message(statuses.get('b/b'))).toMatch(/; it has no other host$/)
  })

  test('whose routes tie is not accepted, and nobody takes its host meanwhile', () => {
    const status = statusesOf({
      apis: [api('a/tie', ['api.test'], { routes: [ROUTE, ROUTE] }), api('b/b', ['api.test'], {}, { created: LATER })],
    })
    expect([said(status.get('a/tie')), status.get('a/tie')?.hosts]).toEqual(['False RoutesTie', undefined])
    expect(message(status.get('a/tie'))).toMatch(/routes\[0\] and routes\[1\] answer the same requests \(GET, HEAD\)/)
    expect(status.get('b/b')?.hosts).toEqual([{ host: 'api.test', uid: 'uid of a/tie', holder: 'a/tie' }])
    expect(said(status.get('b/b'))).toBe('False HostConflict')
  })

  test('that is wrong otherwise too can not be read', () => {
    const status = statusesOf({ apis: [api('a/bad', ['api.test'], { routes: [ROUTE, ROUTE, { path: '/x' }] })] })
    expect(said(status.get('a/bad'))).toBe('False SpecUnreadable')
  })

  test('is accepted with warnings about what does not do as it seems to', () => {
    const routes = [ROUTE, { path: '/**', authenticated: true }]
    const tokens = [{ issuer: 'gone' }, { issuer: 'there' }]
    const apis = [api('a/a', ['api.test'], { routes, tokens })]
    const status = statusesOf({ apis, issuers: [anObject('there', ISSUER)] }).get('a/a')
    expect(said(status)).toBe('True AcceptedWithWarnings')
    expect(message(status)).toContain('spec.tokens[0].issuer: Invalid value: "gone": there is no such TokenIssuer')
    expect(message(status)).toContain('spec.routes[0].path: Invalid value: "/things": routes[0] leaves out POST')
    expect(message(status)).not.toContain('"there"')
  })

  test('names few of many hosts in its column', () => {
    const hosts = Array.from({ length: 32 }, (_, i) => `a-rather-long-name-${i}.example.test`)
    const summary = statusesOf({ apis: [api('a/a', hosts)] }).get('a/a')?.hostsSummary
    expect(summary).toBe(`${hosts.slice(0, 2).join(', ')} and 30 more`)
  })
})

test('a TokenIssuer is accepted, and says that tokens are not verified yet', () => {
  const status = statusesOf({
    issuers: [anObject('id', ISSUER), anObject('bad', { ...ISSUER, algorithms: ['HS256'] })],
  })
  expect([said(status.get('id')), said(status.get('bad'))]).toEqual(['True Accepted', 'False SpecUnreadable'])
  expect(message(status.get('id'))).toContain('not verified yet')
})

describe('a status that was written', () => {
  const objects: Objects = {
    namespaces: [organization('acme'), below('lost', 'application', 'gone')],
    apis: [api('a/a', ['api.test']), api('b/b', ['api.test', 'b.test'])],
    issuers: [anObject('id', ISSUER)],
  }
  const written = statusesOf(objects)
  /** As the API server gives it back, in an order of its own. */
  const stored = (object: KubeObject): KubeObject => ({
    ...object,
    status: Object.fromEntries(Object.entries(JSON.parse(JSON.stringify(written.get(named(object))))).reverse()),
  })
  const all = {
    namespaces: objects.namespaces?.map(stored) ?? [],
    apis: objects.apis?.map(stored) ?? [],
    issuers: objects.issuers?.map(stored) ?? [],
  }

  test('is not written again', () => {
    expect([written.size, dueOf(all)]).toEqual([5, []])
  })

  test('keeps the moment of its last change when only the words change', () => {
    const [first, second] = all.apis
    const edited = { ...second, metadata: { ...second?.metadata, generation: 2 } } as KubeObject
    const [due, ...others] = dueOf({ ...all, apis: [first, edited].filter((one) => one !== undefined) })
    expect([due?.key, due?.status.observedGeneration, others]).toEqual(['b/b', 2, []])
    expect(due?.status.conditions[0]?.lastTransitionTime).toBe('2026-11-22T12:00:00Z')
  })

  test('goes over to the later one when the first is gone', () => {
    const [, second] = all.apis
    const due = dueOf({ ...all, apis: second === undefined ? [] : [second] })
    expect(
      due.map(({ key, status }) => [key, said(status), said(status, 'HostConflict'), status.hostsSummary]),
    ).toEqual([['b/b', 'True Accepted', undefined, 'api.test, b.test']])
  })

  test('that somebody spoiled is written anew', () => {
    const spoiled = { ...organization('acme'), status: { conditions: 'no' } }
    expect(dueOf({ namespaces: [spoiled] }).map(({ key }) => key)).toEqual(['acme'])
  })
})

/** Authz, that sees one state of the cluster after the other. */
function anAuthz<T, Compiled>(policy: PolicyInForce<T, Compiled>, read: (object: KubeObject) => Said<T>) {
  let before = new Map<string, Said<T>>()
  return (all: readonly KubeObject[]): Compiled => {
    const now = new Map(all.map((one) => [named(one), read(one)] as const))
    for (const [key, said] of before) if (now.get(key)?.uid !== said.uid) policy.changed(key, undefined, said)
    for (const [key, said] of now) policy.changed(key, said, before.get(key))
    before = now
    return policy.compile(now)
  }
}

const QUIET = { note: () => {}, noteAll: () => {}, size: () => 0, byKind: () => [] }

describe('what is said, edit by edit,', () => {
  const moments = fc.constantFrom(EARLIER, '2026-11-22T12:00:00Z', LATER)
  const created = fc.array(moments, { minLength: 6, maxLength: 6 })
  const hosts = fc.uniqueArray(fc.constantFrom('a.test', 'b.test', '*.c.test', '*.d.test'), {
    minLength: 1,
    maxLength: 3,
  })
  /** Of six ProtectedApis, those that are there, each with hosts, and now and then one that can't be read. */
  const states = fc.array(fc.array(fc.option(fc.record({ hosts, bad: fc.nat(5) })), { maxLength: 6 }), {
    minLength: 1,
    maxLength: 4,
  })

  test('of hosts is what authz does', () => {
    fc.assert(
      fc.property(states, created, (history, moments) => {
        const [operator, authz] = [anOperator(), anAuthz(hostsInForce(QUIET), protectedApiOf)]
        for (const state of history) {
          const all = state.flatMap((one, i) =>
            one === null
              ? []
              : [
                  api(`team-${i % 3}/api-${i}`, one.hosts, one.bad === 0 ? { routes: [ROUTE, ROUTE] } : {}, {
                    created: moments[i] ?? LATER,
                  }),
                ],
          )
          const [statuses, table] = [byKey(operator({ apis: all })), authz(all)]
          for (const { hosts = [] } of statuses.values()) {
            for (const { host, holder } of hosts) {
              const serving = table.find(host.replace('*.', 'any.'))?.api.name
              // whoever can't be read and never could keeps its hosts, and serves none
              const silent = said(statuses.get(holder)) !== 'True Accepted' && serving === undefined
              expect([host, silent ? holder : serving]).toEqual([host, holder])
            }
          }
        }
      }),
    )
  })

  const TYPES = ['organization', 'application', 'workspace', 'userGroup']
  const place = fc.record({
    type: fc.constantFrom(...TYPES),
    parent: fc.nat(6),
    externalId: fc.constantFrom('x', 'y', undefined),
  })
  const trees = fc.array(fc.array(fc.option(place), { maxLength: 6 }), { minLength: 1, maxLength: 4 })

  test('of the tree is what authz does', () => {
    fc.assert(
      fc.property(trees, created, (history, moments) => {
        const problems = new Map<string, string>()
        const noteAll = (_kind: string, found: ReadonlyMap<string, string>) => {
          problems.clear()
          for (const [name, problem] of found) problems.set(name, problem)
        }
        const [operator, authz] = [anOperator(), anAuthz(treeInForce({ ...QUIET, noteAll }), accessNamespaceOf)]
        for (const state of history) {
          const all = state.flatMap((one, i) => {
            if (one === null) return []
            const { type, parent, externalId } = one
            const above = type === 'organization' ? {} : { parent: `n${parent}` }
            const id = externalId === undefined ? {} : { externalId }
            return [anObject(`n${i}`, { type, ...above, ...id }, { created: moments[i] ?? LATER })]
          })
          const [statuses, tree] = [byKey(operator({ namespaces: all })), authz(all)]
          for (const { metadata } of all) {
            const status = statuses.get(metadata.name)
            expect(said(status) === 'True Accepted').toBe(tree.get(metadata.name) !== undefined)
            if (said(status) !== 'True Accepted') expect(message(status)).toBe(problems.get(metadata.name))
          }
        }
      }),
    )
  })

  test('of a thousand ProtectedApis costs little', () => {
    const all = Array.from({ length: 1000 }, (_, i) => {
      const hosts = Array.from({ length: 8 }, (_, j) => `h${j}.api-${i % 900}.test`)
      return [`team/api-${i}`, apiOf(api(`team/api-${i}`, hosts))] as const
    })
    const statuses = makePolicyStatuses()
    const pass = () => statuses.due({ namespaces: [], apis: all, issuers: [] }, NOON)
    expect(pass()).toHaveLength(1000)
    expect(leastCpuMs(pass)).toBeLessThan(200)
  })
})

test('an older one that names the host of a younger by an edit does not take it', () => {
  const operator = anOperator()
  const younger = api('b/younger', ['api.test'], {}, { created: LATER })
  operator({ apis: [api('a/older', ['own.test']), younger] })
  const statuses = byKey(operator({ apis: [api('a/older', ['own.test', 'api.test']), younger] }))
  expect([said(statuses.get('a/older')), said(statuses.get('b/younger'))]).toEqual([
    'False HostConflict',
    'True Accepted',
  ])
  expect(statuses.get('a/older')?.hostsSummary).toBe('own.test (1 of 2)')
})
