/** The definitions on a real API server: what it takes and what it refuses is what standalone does, with the same words. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { beforeAll, describe, expect, test } from 'vitest'
import { API_VERSION } from '../../src/resources/common.ts'
import { CRD_KINDS } from '../../src/resources/crd/kinds.ts'
import { type Manifest, type ManifestKind, parseManifest, refusedChanges } from '../../src/resources/manifest.ts'
import { aClaim, aKey, aNamespace, BAD, GOOD, UPDATES } from '../resources/cases.ts'
import { LARGEST } from '../resources/largest.ts'
import { elsewhere, sameWords } from '../resources/on-cluster.ts'
import { type Answer, type Cluster, startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

type Json = { readonly [field: string]: unknown }
type Meta = { readonly name: string; readonly generation: number; readonly resourceVersion: string }
type Cause = { readonly field: string; readonly message: string }

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ admission: 'none' })
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team-web' } })
  await until('the kinds are served', async () => (await cluster.request('GET', `${pathOf(aKey())}`)).status === 200)
})

const KINDS: Readonly<Record<string, (typeof CRD_KINDS)[ManifestKind] | undefined>> = CRD_KINDS

/** Of the collection that an object belongs to; an object of no kind goes where keys go. */
function pathOf(value: unknown): string {
  const { kind, metadata } = value as { readonly kind?: string; readonly metadata?: Json }
  const crd = KINDS[String(kind)] ?? CRD_KINDS.ApiKey
  const namespace = crd.scope === 'Cluster' ? '' : `namespaces/${metadata?.namespace ?? 'team-web'}/`
  return `/apis/${API_VERSION}/${namespace}${crd.plural}`
}

const ask = (method: string, path: string, value: unknown, fields = 'Strict') =>
  cluster.request(method, `${path}?dryRun=All&fieldValidation=${fields}`, value)

/** What the API server names. Where it knows a field not it stops there, so that it is asked again without such fields. */
async function problemsOf(method: string, path: string, value: unknown): Promise<readonly Cause[]> {
  const strict = await ask(method, path, value)
  expect(strict.status).toBeGreaterThanOrEqual(400)
  const unknown = [...messageOf(strict).matchAll(/unknown field "([^"]*)"/g)].map(
    ([, field = '']): Cause => ({ field, message: 'Unknown field' }),
  )
  if (unknown.length === 0) return causesOf(strict)
  return [...unknown, ...causesOf(await ask(method, path, value, 'Ignore'))]
}

const messageOf = ({ body }: Answer): string => String((body as { readonly message?: unknown }).message)
const causesOf = ({ body }: Answer): readonly Cause[] =>
  (body as { readonly details?: { readonly causes?: readonly Cause[] } }).details?.causes ?? []

/** One way to write a name that is no plain word, of the several that there are. */
const plain = (field: string): string => field.replace(/\[([^\]]*[^\]0-9][^\]]*)\]/g, '.$1')

function expectSame(ours: readonly Cause[], theirs: readonly Cause[]): void {
  expect(ours.length).toBeGreaterThan(0)
  for (const { field, message } of ours) {
    const same = theirs.some((one) => plain(one.field) === plain(field) && sameWords(message, one.message))
    expect(same ? [] : theirs, `${field}: ${message}`).toEqual([])
  }
  // without the fields that it does not know, an object may lack what it had
  if (theirs.some(({ message }) => message === 'Unknown field')) return
  const named = ours.map(({ field }) => plain(field))
  // `<nil>`: that some rules were not looked at
  const more = theirs.filter(({ field }) => field !== '<nil>' && !named.includes(plain(field)))
  expect(more).toEqual([])
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** As somebody wrote it: what the API server itself adds is refused at a creation. */
function written(value: Json): Json {
  const { resourceVersion: _, uid: __, ...metadata } = value.metadata as Json
  return { ...value, metadata }
}

describe('a manifest', () => {
  test.each(GOOD)('%s is taken', async (_what, value) => {
    const { status, body } = await ask('POST', pathOf(value), written(value))
    expect(status, JSON.stringify(body)).toBe(201)
  })

  test.each(BAD.filter(([, value]) => isObject(value)))('%s', async (what, value) => {
    const answer = elsewhere(what)
    const { status } = await ask('POST', pathOf(value), value)
    if (answer === 'takes it') return expect(status).toBe(201)
    expect(status).toBeGreaterThanOrEqual(400)
    if (answer === 'own words') return
    const parsed = parseManifest(value)
    expectSame(parsed.ok ? [] : parsed.problems, await problemsOf('POST', pathOf(value), value))
  })

  test.each(LARGEST)('as large as %s can be is taken: its rules cost no more than they may', async (_what, value) => {
    expect(parseManifest(value)).toMatchObject({ ok: true })
    const { status, body } = await ask('POST', pathOf(value), value)
    expect(status, JSON.stringify(body)).toBe(201)
  })

  test('with a whole key for a digest is refused without the key', async () => {
    const [, value] = BAD.find(([what]) => what === 'a whole key for a digest') ?? []
    const { delivery } = (value as { readonly spec: { readonly delivery: { readonly digest: string } } }).spec
    const { body } = await ask('POST', pathOf(value), value)
    expect(JSON.stringify(body)).not.toContain(delivery.digest.slice(-49))
  })

  test('with an unquoted y is refused, and said why', async () => {
    const yaml = `apiVersion: ${API_VERSION}
kind: ApiKeyClaim
metadata: {name: unquoted, namespace: team-web}
spec: {apiKey: a, publicJwk: {kty: EC, crv: P-256, x: ${'a'.repeat(43)}, y: ${'b'.repeat(43)}}}
`
    await expect(cluster.apply(yaml)).rejects.toThrow(/unknown field "spec\.publicJwk\.true"/)
  })

  test('of the examples is taken', async () => {
    const folder = join(import.meta.dirname, '../../examples')
    const objects = globSync('**/*.yaml', { cwd: folder })
      .flatMap((file) => loadAll(readFileSync(join(folder, file), 'utf8')) as unknown[])
      .filter((value): value is Json => isObject(value) && value.apiVersion === API_VERSION)
    expect(objects.length).toBeGreaterThan(20)
    for (const value of objects) {
      const { namespace } = value.metadata as Json
      if (namespace !== undefined)
        await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
      const { metadata } = value
      const placed = { ...value, metadata: { namespace: 'default', ...(metadata as Json) } }
      const { status, body } = await ask('POST', pathOf(placed), value)
      expect(status, JSON.stringify(body)).toBe(201)
    }
  })
})

describe('an update', () => {
  const SAME_KIND = UPDATES.filter(([, before, after]) => before.kind === after.kind)
  const read = (value: unknown): Manifest => {
    const parsed = parseManifest(value)
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
    return parsed.manifest
  }

  test.each(SAME_KIND)('with %s', async (what, before, after, field) => {
    const path = pathOf(before)
    const { name } = before.metadata as Meta
    await cluster.request('DELETE', `${path}/${name}`)
    const made = await cluster.request('POST', path, before)
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    const { resourceVersion } = metaOf(made)
    const change = { ...after, metadata: { ...(after.metadata as Json), resourceVersion } }
    const { status } = await ask('PUT', `${path}/${name}`, change)
    await cluster.request('DELETE', `${path}/${name}`)
    if (field === undefined || elsewhere(what) === 'takes it') return expect(status).toBe(200)
    await cluster.request('POST', path, before)
    const theirs = await problemsOf('PUT', `${path}/${name}`, {
      ...after,
      metadata: { ...(after.metadata as Json), resourceVersion: await versionOf(`${path}/${name}`) },
    })
    await cluster.request('DELETE', `${path}/${name}`)
    expectSame(refusedChanges(read(before), read(after), Date.now()), theirs)
  })
})

const metaOf = ({ body }: Answer): Meta => (body as { readonly metadata: Meta }).metadata
const versionOf = async (path: string): Promise<string> => metaOf(await cluster.request('GET', path)).resourceVersion

describe('the status of a claim', () => {
  const path = () => `${pathOf(aClaim())}/answered`
  const put = async (status: unknown): Promise<Answer> => {
    const claim = (await cluster.request('GET', path())).body as Json
    return cluster.request('PUT', `${path()}/status`, { ...claim, status })
  }

  test('is set once: what was answered is never changed, and never taken away', async () => {
    const claim = aClaim()
    await cluster.request('POST', pathOf(claim), { ...claim, metadata: { name: 'answered' } })
    const attempt = { id: '6a3c0f0e-0000-4000-8000-000000000000', at: '2026-11-23T01:00:00.000Z' }
    expect((await put({ attempt })).status).toBe(200)
    expect((await put({ attempt: { ...attempt, id: 'another' } })).status).toBe(200)
    const answer = { version: 1, jwe: 'eyJhbGciOiJ9.a.b.c.d' }
    expect((await put(answer)).body).toMatchObject({ status: answer })

    for (const changed of [{ ...answer, jwe: 'other' }, { ...answer, version: 2 }, { version: 1 }, {}]) {
      const { status, body } = await put(changed)
      expect([changed, status]).toEqual([changed, 422])
      expect(JSON.stringify(body)).not.toContain(answer.jwe)
    }
    const taken = await cluster.request('PATCH', `${path()}/status`, { status: null }, 'application/merge-patch+json')
    expect(causesOf(taken).map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'status.version: Forbidden: the version of an answered claim is never changed or taken away',
      'status.jwe: Forbidden: the jwe of an answered claim is never changed or taken away',
    ])
    expect((await put({ ...answer, conditions: [] })).status).toBe(200)
  })
})

describe('applying', () => {
  const state = async (path: string) => {
    const { generation, resourceVersion } = metaOf(await cluster.request('GET', path))
    return { generation, resourceVersion }
  }
  const key = aKey({ delivery: { secretName: 'a' }, rateLimit: { requests: 600, per: '1m' } }, { name: 'applied' })
  const path = () => `${pathOf(key)}/applied`

  test('the same manifest again changes nothing', async () => {
    await cluster.apply(JSON.stringify(key))
    const before = await state(path())
    await cluster.apply(JSON.stringify(key))
    expect(await state(path())).toEqual(before)
    expect(before.generation).toBe(1)
  })

  test('by two managers, each on the server, changes nothing once both have it', async () => {
    const applyAs = (manager: string) =>
      cluster.request('PATCH', `${path()}?fieldManager=${manager}`, key, 'application/apply-patch+yaml')
    for (const manager of ['flux', 'argo']) expect((await applyAs(manager)).status).toBe(200)
    const before = await state(path())
    for (const manager of ['flux', 'argo', 'flux']) expect((await applyAs(manager)).status).toBe(200)
    expect(await state(path())).toEqual(before)
    expect(before.generation).toBe(1)
  })
})

describe('a field that is left blank', () => {
  const limited = aKey({ customers: ['globex'], expiresAt: '2099-03-01T00:00:00Z' }, { name: 'limited' })
  const blank = (field: string) => ({ ...limited, spec: { ...(limited.spec as Json), [field]: null } })
  const path = () => `${pathOf(limited)}/limited`
  const customers = async () => {
    const { body } = await cluster.request('GET', path())
    return (body as { readonly spec: Json }).spec.customers
  }
  const REFUSED = /spec\.customers: Invalid value: null: give it a value, or leave the field out/

  test.each([
    ['create', ['create']],
    ['apply on the server', ['apply', '--server-side']],
  ])('is refused by %s where the key is new', async (_what, args) => {
    const { status, stderr } = await cluster.kubectl([...args, '-f', '-'], {
      input: JSON.stringify(blank('customers')),
    })
    expect([status, stderr]).toEqual([1, expect.stringMatching(REFUSED)])
  })

  test('is refused by replace and by apply on the server', async () => {
    await cluster.apply(JSON.stringify(limited))
    const metadata = { ...(limited.metadata as Json), resourceVersion: await versionOf(path()) }
    const replaced = await cluster.request('PUT', path(), { ...blank('customers'), metadata })
    expect([replaced.status, messageOf(replaced)]).toEqual([422, expect.stringMatching(REFUSED)])
    const applied = await cluster.request(
      'PATCH',
      `${path()}?fieldManager=flux&force=true`,
      blank('customers'),
      'application/apply-patch+yaml',
    )
    expect([applied.status, messageOf(applied)]).toEqual([422, expect.stringMatching(REFUSED)])
    expect(await customers()).toEqual(['globex'])
  })
})

describe('kubectl', () => {
  const run = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr, status } = await cluster.kubectl(args)
    expect([status, stderr]).toEqual([0, ''])
    return stdout
  }

  test('shows a table of keys, and more of it with -o wide', async () => {
    const key = aKey({ expiresAt: '2099-03-01T00:00:00Z', environment: 'staging' }, { name: 'told' })
    await cluster.request('POST', pathOf(key), key)
    const status = {
      phase: 'Active',
      keyId: 'kw_stag_4fQ0Zp8sLm2T',
      createdBy: { username: 'ana@example.com' },
      permissionsSummary: 'customer:read (1 of 3)',
      limitsSummary: '600/1m',
      credential: { version: 3, claimedBy: { username: 'bo@example.com' } },
    }
    const patched = await cluster.request(
      'PATCH',
      `${pathOf(key)}/told/status`,
      { status },
      'application/merge-patch+json',
    )
    expect(patched.status).toBe(200)
    const lines = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/))
    expect(lines(await run('get', 'ak', 'told', '-n', 'team-web'))).toEqual([
      ['NAME', 'ID', 'ENV', 'NAMESPACE', 'PERMISSIONS', 'LIMIT', 'STATUS', 'LAST USED', 'EXPIRES', 'AGE'],
      [
        'told',
        'kw_stag_4fQ0Zp8sLm2T',
        'staging',
        'acme-web-eu',
        'customer:read (1 of 3)',
        '600/1m',
        'Active',
        // never used
        '2099-03-01T00:00:00Z',
        expect.stringMatching(/^\d+s$/),
      ],
    ])
    const [, wide] = lines(await run('get', 'ak', 'told', '-n', 'team-web', '-o', 'wide'))
    expect(wide?.slice(-3)).toEqual(['ana@example.com', 'bo@example.com', '3'])
  })

  test('knows the kinds by their category and their short names', async () => {
    expect(await run('get', 'keyward', '-n', 'team-web', '-o', 'name')).toContain('apikey.keyward.dev/told')
    for (const short of ['an', 'ak', 'akc', 'papi', 'ti']) await run('get', short, '-o', 'name')
  })

  test('selects by field', async () => {
    const names = (selector: string) => run('get', 'ak', '-n', 'team-web', '-o', 'name', '--field-selector', selector)
    expect(await names('spec.environment=staging')).toBe('apikey.keyward.dev/told\n')
    expect(await names('status.keyId=kw_stag_4fQ0Zp8sLm2T')).toBe('apikey.keyward.dev/told\n')
    expect(await names('status.phase=Failed')).toBe('')
    expect(await names('spec.accessNamespace=acme-web-eu')).toContain('apikey.keyward.dev/told')
    expect(await run('get', 'akc', '-n', 'team-web', '-o', 'name', '--field-selector', 'spec.apiKey=nobody')).toBe('')
  })

  test('explains a key', async () => {
    const text = await run('explain', 'apikey.spec')
    expect(text).toContain('What the key is asked to be.')
    expect(text).toMatch(
      /accessNamespace\t<string> -required-\n {4}Name of the AccessNamespace that the key is bound to\. It never changes\./,
    )
    expect(text).toMatch(/state\t<string>\n {2}enum: Active, Suspended, Revoked\n/)
    expect(await run('explain', 'apikeyclaim.status.jwe')).toContain('delete the claim when you have read it')
    expect(await run('explain', 'protectedapi.spec.routes.reach')).toMatch(/all that\s+lie\s+inside/)
  })
})

test('an AccessNamespace can be named only as a part of names can', async () => {
  const { status, body } = await ask('POST', pathOf(aNamespace({ type: 'organization' })), {
    ...aNamespace({ type: 'organization' }, 'a.b'),
  })
  expect(status).toBe(422)
  expect(JSON.stringify(body)).toContain('metadata.name')
})
