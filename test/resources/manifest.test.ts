// What a manifest may say: good ones are read, bad ones refused with field and reason, all at once.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Manifest } from '../../src/resources/manifest.ts'
import { identityOf, parseManifest, refusedAtCreation, refusedChanges } from '../../src/resources/manifest.ts'
import { aClaim, aKey, aNamespace, anApi, anIssuer, BAD, GOOD, UPDATES } from './cases.ts'

const NOW = Date.UTC(2026, 10, 22)

function read(value: unknown): Manifest {
  const parsed = parseManifest(value)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.manifest
}

const problemsOf = (value: unknown) => {
  const parsed = parseManifest(value)
  return parsed.ok ? [] : parsed.problems
}

describe('a manifest', () => {
  test.each(GOOD)('%s is read', (_what, value) => {
    expect(problemsOf(value)).toEqual([])
  })

  test.each(BAD)('%s is refused', (_what, value, field, words) => {
    const problems = problemsOf(value)
    expect(problems.map((problem) => problem.field)).toContain(field)
    expect(problems.find((problem) => problem.field === field)?.message).toContain(words)
  })

  test.each([
    ['a text', { displayName: null }, 'Invalid value: null: give it a value, or leave the field out'],
    [
      'a word of several',
      { state: null },
      'Unsupported value: null: supported values: "Active", "Suspended", "Revoked": give it a value, or leave the field out',
    ],
    ['what must be there', { permissions: null }, 'Required value: it is left blank'],
  ])('%s that is left blank is told what to do', (_what, spec, message) => {
    expect(problemsOf(aKey(spec)).map((problem) => problem.message)).toEqual([message])
  })

  test('of a hundred thousand unknown fields the first hundred are told of', () => {
    const unknown = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`x${i}`, 1]))
    const problems = problemsOf(aKey(unknown))
    expect(problems).toHaveLength(100)
    expect(problems[99]).toMatchObject({
      field: 'spec.x99',
      message: expect.stringMatching(/^Unknown field: known here: /),
    })
  })

  test('the fields of a mapping are gone through a few times, however many of them are wrong', () => {
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 1]))
    const { spec, ...key } = aKey(unknown)
    let times = 0
    const counted = new Proxy(spec as object, {
      ownKeys: (target) => {
        times += 1
        return Reflect.ownKeys(target)
      },
    })
    expect(problemsOf({ ...key, spec: counted })).toHaveLength(100)
    expect(times).toBeLessThan(10)
  })

  test('what is refused for one reason is refused for that reason only', () => {
    const several = BAD.filter(([, value]) => problemsOf(value).length > 1).map(([what]) => what)
    // an unknown name in the place of one that must be there is two mistakes
    expect(several).toEqual(['a y that YAML 1.1 has read', 'permissions of a route', 'a public route with a resource'])
  })
})

describe('what is read', () => {
  test('an ApiKey with defaults', () => {
    expect(read(aKey({}, { namespace: undefined }))).toEqual({
      kind: 'ApiKey',
      namespace: 'default',
      name: 'main-website',
      spec: {
        displayName: undefined,
        accessNamespace: 'acme-web-eu',
        environment: 'production',
        permissions: ['license:manage', 'customer:read'],
        customers: undefined,
        expiresAt: undefined,
        limits: [],
        allowedCidrs: undefined,
        state: 'Active',
        regenerate: 0,
        overlapMs: 0,
        rotation: undefined,
        delivery: { kind: 'claim' },
      },
    })
  })

  test('the rest of an ApiKey', () => {
    const key = read(
      aKey({
        expiresAt: '2027-03-01T02:00:00+02:00',
        quota: { requests: 1_000_000, per: 'month' },
        rateLimit: { requests: 600, per: '2h' },
        allowedCIDRs: ['203.0.113.0/24'],
        overlap: '1h30m5s',
        rotation: { every: '720h' },
        delivery: { secretName: 'cred' },
      }),
    )
    expect(key.spec).toMatchObject({
      expiresAt: Date.UTC(2027, 2, 1),
      limits: [
        { kind: 'rate', requests: 600, perUs: 7_200_000_000, burst: 600 },
        { kind: 'quota', requests: 1_000_000, period: 'month' },
      ],
      allowedCidrs: [{ text: '203.0.113.0/24' }],
      overlapMs: 5_405_000,
      rotation: { everyMs: 2_592_000_000 },
      delivery: { kind: 'workloadSecret', secretName: 'cred' },
    })
  })

  test('an imported digest without its prefix', () => {
    const delivery = { digest: `sha256:${'a'.repeat(64)}`, keyId: 'kw_prod_4fQ0Zp8sLm2T' }
    expect(read(aKey({ delivery })).spec).toMatchObject({
      delivery: { kind: 'imported', digest: 'a'.repeat(64), keyId: 'kw_prod_4fQ0Zp8sLm2T' },
    })
  })

  test('an AccessNamespace has its name as external id unless it says otherwise', () => {
    expect(read(aNamespace({ type: 'workspace', parent: 'acme-web' }))).toEqual({
      kind: 'AccessNamespace',
      name: 'acme-web-eu',
      spec: { type: 'workspace', parent: 'acme-web', displayName: undefined, externalId: 'acme-web-eu' },
    })
  })

  test('a ProtectedApi with defaults', () => {
    expect(read(anApi())).toEqual({
      kind: 'ProtectedApi',
      namespace: 'team-web',
      name: 'passport',
      spec: {
        environments: [{ name: 'production', hosts: ['api.example.com'] }],
        permissions: [],
        tokens: [],
        unmatched: 'deny',
        preflight: 'deny',
        failureMode: { limits: 'local', stale: { afterMs: 900_000, action: 'serve' } },
        routes: [{ path: '/a', permission: 'a:b' }],
      },
    })
  })

  test('what a ProtectedApi leaves out of its failure mode', () => {
    expect(read(anApi({ failureMode: { stale: { after: '1h' } } })).spec).toMatchObject({
      failureMode: { limits: 'local', stale: { afterMs: 3_600_000, action: 'serve' } },
    })
  })

  test('a claim keeps of its public key what makes it one', () => {
    expect(read(aClaim({ kid: 'k', ext: true }))).toEqual({
      kind: 'ApiKeyClaim',
      namespace: 'team-web',
      name: 'main-website-x7k2p',
      spec: {
        apiKey: 'main-website',
        version: undefined,
        publicJwk: { kty: 'EC', crv: 'P-256', x: 'a'.repeat(43), y: 'b'.repeat(43) },
      },
    })
  })

  test('a TokenIssuer with defaults', () => {
    expect(read(anIssuer())).toEqual({
      kind: 'TokenIssuer',
      name: 'platform',
      spec: {
        issuer: 'https://id.example.com',
        audiences: ['api'],
        keys: { kind: 'uri', uri: 'https://id.example.com/jwks' },
        algorithms: ['ES256'],
        claims: { accessNamespace: 'ns', permissions: 'scope', environment: undefined, customers: undefined },
        maxTokenAgeMs: undefined,
        typ: undefined,
        clockToleranceMs: 5000,
      },
    })
  })
})

describe('problems', () => {
  test('come all at once, in the order of the fields as they are written', () => {
    const value = aKey({
      permissions: ['a:b', 'B', 'a:b'],
      rotation: { every: '1h' },
      rateLimit: { requests: 0, per: 'x' },
      overlap: '2h',
      delivery: {},
      typo: 1,
      accessNamespace: undefined,
    })
    expect(problemsOf(value).map(({ field }) => field)).toEqual([
      'spec.permissions[1]',
      'spec.permissions',
      'spec.rotation',
      'spec.rateLimit.requests',
      'spec.rateLimit.per',
      'spec.overlap',
      'spec.delivery',
      'spec.typo',
      'spec.accessNamespace',
    ])
  })

  test('of one route do not hide those of another', () => {
    const value = anApi({
      routes: [
        { path: 'a', permission: 'a:b' },
        { path: '/b', id: 'x' },
        { path: '/c', permission: 'a:b' },
        { path: '/c', permission: 'a:b' },
      ],
    })
    expect(problemsOf(value).map(({ field }) => field)).toEqual([
      'spec.routes[0].path',
      'spec.routes[1]',
      'spec.routes[1].id',
      'spec.routes[1].resource',
      'spec.routes[3].path',
    ])
  })

  test('name a rule only where what it reads has its shape', () => {
    expect(problemsOf(aKey({ environment: 'prod', delivery: { keyId: 'kw_dev_4fQ0Zp8sLm2T', digest: 1 } }))).toEqual([
      expect.objectContaining({ field: 'spec.environment' }),
      expect.objectContaining({ field: 'spec.delivery.digest' }),
    ])
  })

  test('are a hundred at most, however much is wrong', () => {
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, 1]))
    const many = aKey({ permissions: Array.from({ length: 100_000 }, () => 'B'), ...unknown })
    expect(problemsOf(many)).toHaveLength(100)
  })

  test('of a text of megabytes are told without reading it', () => {
    const long = `${'a.'.repeat(5_000_000)}!`
    const problems = problemsOf(aKey({ accessNamespace: long, environment: long, expiresAt: long }, { name: long }))
    expect(problems.map(({ message }) => message.slice(0, 9))).toEqual([
      'Too long:',
      'Too long:',
      'Unsupport',
      'Too long:',
    ])
  })

  test('carry the path that a line number is found by', () => {
    expect(problemsOf(aKey({ permissions: ['a:b', 'B'] }))[0]?.path).toEqual(['spec', 'permissions', 1])
  })
})

describe('a secret in the wrong place', () => {
  const secret = '0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi'
  const credential = `kw_prod_4fQ0Zp8sLm2T_${secret}`
  test.each([
    ['a credential as a digest', aKey({ delivery: { digest: credential, keyId: 'kw_prod_4fQ0Zp8sLm2T' } })],
    ['the secret alone as a digest', aKey({ delivery: { digest: secret, keyId: 'kw_prod_4fQ0Zp8sLm2T' } })],
    ['a credential as a key ID', aKey({ delivery: { digest: `sha256:${'a'.repeat(64)}`, keyId: credential } })],
    ['a credential as a name', aKey({}, { name: credential })],
    ['a credential as a permission', aKey({ permissions: [credential] })],
    ['a credential as a field', aKey({ [credential]: 1 })],
    ['a credential as a kind', { ...aKey(), kind: credential }],
    ['a credential as an environment', aKey({ environment: credential })],
    ['a credential as an unknown field', aKey({ secret: credential })],
    ['a credential as a whole manifest', credential],
    ['a private key', aClaim({ d: secret })],
    ['a private key as a coordinate', aClaim({ x: `${secret}=` })],
    ['a private key in a JWK Set', anIssuer({ jwksUri: undefined, jwks: `{"keys":[{"kty":"EC","d":"${secret}"}]}` })],
    ['a PEM file', aKey({ displayName: `-----BEGIN PRIVATE KEY-----\n${secret}\n` })],
  ])('%s is refused and not repeated', (_what, value) => {
    const problems = problemsOf(value)
    expect(problems.length).toBeGreaterThan(0)
    expect(JSON.stringify(problems.map(({ field, message }) => ({ field, message })))).not.toContain(
      secret.slice(0, 12),
    )
  })

  test('is no reason to hide an ordinary value, which is shortened', () => {
    expect(problemsOf(aKey({ accessNamespace: 'A '.repeat(31) }))[0]?.message).toContain('"A A A A')
    expect(problemsOf(aKey({ displayName: `\u202e${'x\n'.repeat(60)}` }))[0]?.message).toMatch(
      /^Invalid value: "\\u202ex\\nx.*…": text/,
    )
  })
})

describe('an update', () => {
  test.each(UPDATES)('with %s', (_what, before, after, field, words) => {
    const problems = refusedChanges(read(before), read(after), NOW)
    expect(problems.map((problem) => problem.field)).toEqual(field === undefined ? [] : [field])
    expect(problems[0]?.message ?? '').toContain(words)
  })

  test('is refused for all its reasons at once', () => {
    const problems = refusedChanges(
      read(aKey({ state: 'Revoked', regenerate: 1 })),
      read(aKey({ environment: 'staging', expiresAt: '2027-03-01T00:00:00Z' })),
      NOW,
    )
    expect(problems.map(({ field }) => field)).toEqual([
      'spec.environment',
      'spec.expiresAt',
      'spec.state',
      'spec.regenerate',
    ])
  })

  test('is not asked about expiry where no time is given', () => {
    const expired = { expiresAt: '2001-01-01T00:00:00Z' }
    expect(refusedChanges(read(aKey(expired)), read(aKey({ ...expired, regenerate: 1 })))).toEqual([])
  })
})

describe('a new object', () => {
  test('can not have expired', () => {
    const problems = refusedAtCreation(read(aKey({ expiresAt: '2026-11-22T00:00:00Z' })), NOW)
    expect(problems).toEqual([
      {
        field: 'spec.expiresAt',
        path: ['spec', 'expiresAt'],
        message: 'Invalid value: "2026-11-22T00:00:00.000Z": it lies in the past',
      },
    ])
  })

  test.each([
    ['a key that expires in a second', aKey({ expiresAt: '2026-11-22T00:00:01Z' })],
    ['a revoked key', aKey({ state: 'Revoked' })],
    ['an access namespace', aNamespace({ type: 'organization' })],
  ])('can be %s', (_what, value) => {
    expect(refusedAtCreation(read(value), NOW)).toEqual([])
  })
})

describe('the identity of a manifest', () => {
  test.each([
    ['a bad key', aKey({ environment: 'x' }), { kind: 'ApiKey', namespace: 'team-web', name: 'main-website' }],
    [
      'a key without a namespace',
      aKey({}, { namespace: undefined }),
      { kind: 'ApiKey', namespace: 'default', name: 'main-website' },
    ],
    ['a cluster-scoped kind', anIssuer(), { kind: 'TokenIssuer', namespace: '', name: 'platform' }],
    ['an unknown kind', { kind: 'Foo', metadata: { name: 'a' } }, { kind: 'Foo', namespace: 'default', name: 'a' }],
    ['a name that is no string', aKey({}, { name: 7 }), undefined],
    ['no metadata', { kind: 'ApiKey' }, undefined],
    ['metadata that is null', { kind: 'ApiKey', metadata: null }, undefined],
    ['text', 'ApiKey', undefined],
    ['nothing', undefined, undefined],
  ])('is told as far as it can be: %s', (_what, value, identity) => {
    expect(identityOf(value)).toEqual(identity)
  })
})

test('whatever a manifest holds, it is read or refused, and nothing is thrown', () => {
  const good = fc.constantFrom(...GOOD.map(([, value]) => value))
  // a value somewhere in a good manifest is replaced by anything
  const mutated = fc.tuple(good, fc.nat(), fc.jsonValue()).map(([value, place, other]) => {
    let left = place % 60
    return JSON.parse(JSON.stringify(value), (_key, held) => (left-- === 0 ? other : held)) as unknown
  })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.jsonValue()), (value) => {
      const parsed = parseManifest(value)
      if (!parsed.ok) {
        expect(parsed.problems.length).toBeGreaterThan(0)
        for (const { message } of parsed.problems) expect(message).not.toMatch(/undefined|\[object/)
      }
    }),
    { numRuns: 1000, seed: 7 },
  )
})
