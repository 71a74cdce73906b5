/** What of a ProtectedApi and of an ApiKey can still be changed while nobody answers the webhooks: what takes away, and nothing that gives. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Answer, Cluster } from '../support/cluster.ts'

type Fields = Readonly<Record<string, unknown>>
type Kept = { readonly metadata: Fields; readonly spec: Fields }
type Case = readonly [what: string, spec: Fields]

const IMPORTED = { digest: `sha256:${'a'.repeat(64)}`, keyId: 'kw_prod_4fQ0Zp8sLm2T' }
const range = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i))

const HOSTS = {
  production: ['api.example.com', 'b.example.com'],
  staging: ['x.dev.example.com', 'y.example.com'],
  development: ['*.dev.example.com'],
} as const
const served = (hosts: Readonly<Record<string, readonly string[]>>) => ({
  environments: Object.entries(hosts).map(([name, some]) => ({ name, hosts: some })),
})

const OPEN = { path: '/open', public: true }
const ANY = { path: '/any', methods: ['GET'], authenticated: true }
const HELD = { path: '/held', permission: 'a:b' }
const WIDE = { path: '/**', permission: 'a:b' }
const CLOSED = { path: '/open', permission: 'a:b' }

const API: Fields = {
  ...served(HOSTS),
  permissions: [{ name: 'a:b', title: 'all' }],
  tokens: [{ issuer: 'one' }, { issuer: 'two' }],
  unmatched: 'authenticated',
  preflight: 'allow',
  failureMode: { limits: 'closed' },
  routes: [OPEN, ANY, HELD, WIDE],
}

const API_PASSES: readonly Case[] = [
  ['a host removed', served({ ...HOSTS, production: ['b.example.com'] })],
  ['an environment removed', served({ staging: HOSTS.staging, development: HOSTS.development })],
  ['a wildcard removed', served({ production: HOSTS.production, staging: HOSTS.staging })],
  ['an issuer removed', { tokens: [{ issuer: 'two' }] }],
  ['all issuers removed', { tokens: undefined }],
  ['unmatched denied', { unmatched: 'deny' }],
  ['unmatched left out', { unmatched: undefined }],
  ['preflights denied', { preflight: 'deny' }],
  ['a public route closed', { routes: [CLOSED, ANY, HELD, WIDE] }],
  [
    'a public route closed by method',
    { routes: [{ path: '/open', permissionByMethod: { GET: 'a:b', '*': 'a:c' } }, ANY, HELD, WIDE] },
  ],
  ['a public route for keys only', { routes: [{ path: '/open', authenticated: true }, ANY, HELD, WIDE] }],
  [
    'a route for any key closed',
    { routes: [OPEN, { ...ANY, authenticated: undefined, permission: 'a:b' }, HELD, WIDE] },
  ],
  [
    'all of it at once',
    {
      ...served({ production: ['api.example.com'], staging: HOSTS.staging }),
      ...{
        tokens: undefined,
        unmatched: 'deny',
        preflight: 'deny',
        routes: [CLOSED, { ...CLOSED, ...ANY, authenticated: undefined, path: '/any' }, HELD, WIDE],
      },
    },
  ],
]

const API_ASKS: readonly Case[] = [
  ['a host added', served({ ...HOSTS, production: [...HOSTS.production, 'c.example.com'] })],
  [
    'a host in another environment',
    served({ ...HOSTS, production: ['api.example.com'], staging: [...HOSTS.staging, 'b.example.com'] }),
  ],
  ['an environment under another name', served({ production: HOSTS.production, staging: HOSTS.development })],
  ['a host removed that a wildcard of another environment covers', served({ ...HOSTS, staging: ['y.example.com'] })],
  ['all environments removed but one', served({ production: HOSTS.production })],
  ['an issuer added', { tokens: [{ issuer: 'one' }, { issuer: 'two' }, { issuer: 'three' }] }],
  ['another issuer', { tokens: [{ issuer: 'three' }] }],
  ['a route opened', { routes: [OPEN, ANY, { path: '/held', public: true }, WIDE] }],
  ['a route for any key', { routes: [OPEN, ANY, { path: '/held', authenticated: true }, WIDE] }],
  ['a route for any key made public', { routes: [OPEN, { path: '/any', methods: ['GET'], public: true }, HELD, WIDE] }],
  ['another permission', { routes: [OPEN, ANY, { path: '/held', permission: 'a:c' }, WIDE] }],
  ['a route removed that a wider one answers for', { routes: [OPEN, ANY, WIDE] }],
  ['a public route removed', { routes: [ANY, HELD, WIDE] }],
  ['a route added', { routes: [OPEN, ANY, HELD, WIDE, { path: '/new', permission: 'a:b' }] }],
  ['a route closed under another path', { routes: [{ ...CLOSED, path: '/opened' }, ANY, HELD, WIDE] }],
  ['a route closed for other methods', { routes: [{ ...CLOSED, methods: ['GET'] }, ANY, HELD, WIDE] }],
  ['methods that are left out', { routes: [OPEN, { path: '/any', permission: 'a:b' }, HELD, WIDE] }],
  ['one closed and one opened', { routes: [CLOSED, ANY, { path: '/held', public: true }, WIDE] }],
  ['another failure mode', { failureMode: { limits: 'open' } }],
  ['failure modes left out', { failureMode: undefined }],
  ['other titles', { permissions: undefined }],
]

const KEY: Fields = {
  ...{
    accessNamespace: 'acme',
    environment: 'production',
    permissions: ['a:b', 'a:c'],
    expiresAt: '2999-01-01T00:00:00Z',
  },
  allowedCIDRs: ['10.0.0.0/8', '2001:db8::/32'],
  ...{ rotation: { every: '720h' }, delivery: { secretName: 'x' } },
}
const KEY_PASSES: readonly Case[] = [
  ['a block inside another', { allowedCIDRs: ['10.1.0.0/16', '2001:db8:1::/48'] }],
  ['the same block', { allowedCIDRs: ['2001:db8::/32', '10.0.0.0/8'] }],
  ['one address', { allowedCIDRs: ['10.1.2.3/32'] }],
  ['revoked', { state: 'Revoked' }],
]
const KEY_ASKS: readonly Case[] = [
  ['a block around another', { allowedCIDRs: ['10.0.0.0/7', '2001:db8::/32'] }],
  ['a block beside another', { allowedCIDRs: ['11.1.0.0/16'] }],
  ['a block inside and one beside', { allowedCIDRs: ['10.1.0.0/16', '192.0.2.0/24'] }],
  ['all addresses of the other family', { allowedCIDRs: ['::/0'] }],
  ['no more blocks', { allowedCIDRs: undefined }],
  ['another rotation', { rotation: { every: '1000h' } }],
  ['no more rotation', { rotation: undefined }],
  ['another Secret', { delivery: { secretName: 'y' } }],
  ['to be claimed', { rotation: undefined, delivery: undefined }],
]

/** As large as they can be: what a condition costs is bounded, and one that costs too much lets nothing through. */
const manyHosts = (count: number) =>
  served(
    Object.fromEntries(
      Object.keys(HOSTS).map((name) => [
        name,
        range(count, (i) => `${i < 16 ? '*.' : ''}${'h'.repeat(60)}.${name}-${i}.example.org`),
      ]),
    ),
  )
const manyRoutes = (guard: Fields) => ({
  routes: range(256, (i) => ({ path: `/${'p'.repeat(200)}/${i}`, methods: ['GET', 'HEAD', 'POST'], ...guard })),
})
const LARGE_API: Fields = { ...manyHosts(32), ...manyRoutes({ public: true }) }
const LARGE_API_LESS: Fields = {
  ...manyHosts(16),
  ...manyRoutes({ permissionByMethod: { GET: 'a:b', HEAD: 'a:b', POST: 'a:b' } }),
}
const LARGE_KEY: Fields = {
  ...{ accessNamespace: 'acme', environment: 'production' },
  permissions: range(64, (i) => `${'a'.repeat(50)}:${'b'.repeat(50)}${i}`),
  customers: range(64, (i) => `${'c'.repeat(50)}${i}`),
  allowedCIDRs: range(64, (i) => `2001:db8:1234:5678:9abc:def0:${(i + 16).toString(16)}00:0/104`),
}
const LARGE_KEY_LESS: Fields = {
  permissions: [...(LARGE_KEY.permissions as readonly string[])].reverse(),
  customers: [...(LARGE_KEY.customers as readonly string[])].reverse(),
  allowedCIDRs: range(64, (i) => `2001:db8:1234:5678:9abc:def0:${(79 - i).toString(16)}00:0/128`),
}

const OBJECTS = {
  open: ['ProtectedApi', API],
  large: ['ProtectedApi', LARGE_API],
  boxed: ['ApiKey', KEY],
  filled: ['ApiKey', LARGE_KEY],
  imported: ['ApiKey', { ...KEY, rotation: undefined, delivery: IMPORTED }],
} as const satisfies Readonly<Record<string, readonly [kind: string, spec: Fields]>>

const pathOf = (kind: string) => `/apis/keyward.dev/v1alpha1/namespaces/team-web/${kind.toLowerCase()}s`

/** To be called while the webhooks are answered. */
export async function makeWhatIsTakenAway({ request }: Pick<Cluster, 'request'>): Promise<void> {
  for (const [name, [kind, spec]] of Object.entries(OBJECTS)) {
    const { status, body } = await request('POST', pathOf(kind), {
      ...{ apiVersion: 'keyward.dev/v1alpha1', kind, metadata: { name }, spec },
    })
    expect([status, status === 201 ? '' : body]).toEqual([201, ''])
  }
}

/** With nobody left who answers. */
export function takingAway(cluster: () => Pick<Cluster, 'request'>): void {
  const kept = new Map<string, Kept>()
  const pathTo = (name: keyof typeof OBJECTS) => `${pathOf(OBJECTS[name][0])}/${name}`

  beforeAll(async () => {
    for (const name of Object.keys(OBJECTS) as (keyof typeof OBJECTS)[])
      kept.set(name, (await cluster().request('GET', pathTo(name))).body as Kept)
  })

  const change = (name: keyof typeof OBJECTS, spec: Fields): Promise<Answer> => {
    const before = kept.get(name)
    const after = { ...before, spec: { ...before?.spec, ...spec } }
    return cluster().request('PUT', `${pathTo(name)}?dryRun=All`, after)
  }
  const saidOf = ({ status, body }: Answer) => (status === 200 ? '' : String((body as Fields).message))

  describe('of an API', () => {
    test.each(API_PASSES)('%s passes', async (_what, spec) => {
      expect(saidOf(await change('open', spec))).toBe('')
    })

    test.each(API_ASKS)('%s does not', async (_what, spec) => {
      expect(saidOf(await change('open', spec))).toContain('failed calling webhook "protectedapis.keyward.dev"')
    })
  })

  describe('of a key', () => {
    test.each(KEY_PASSES)('%s passes', async (_what, spec) => {
      expect(saidOf(await change('boxed', spec))).toBe('')
    })

    test.each(KEY_ASKS)('%s does not', async (_what, spec) => {
      expect(saidOf(await change('boxed', spec))).toContain('failed calling webhook "apikeys.keyward.dev"')
    })

    test('another digest does not', async () => {
      const delivery = { ...IMPORTED, digest: `sha256:${'b'.repeat(64)}` }
      expect(saidOf(await change('imported', { delivery }))).toContain('failed calling webhook "apikeys.keyward.dev"')
    })

    test.each<Case>([
      ['taken away', { expiresAt: undefined }],
      ['moved on', { expiresAt: '2999-01-02T00:00:00Z' }],
    ])('its end is not %s, whoever answers', async (_what, spec) => {
      expect(saidOf(await change('boxed', spec))).toContain('expiresAt')
      expect(saidOf(await change('boxed', spec))).not.toContain('failed calling webhook')
    })
  })

  test.each([
    ['large', LARGE_API_LESS],
    ['filled', LARGE_KEY_LESS],
  ] as const)('something as large as it can be is taken away from too: %s', async (name, spec) => {
    expect(saidOf(await change(name, spec))).toBe('')
  })
}
