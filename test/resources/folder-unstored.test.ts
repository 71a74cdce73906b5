/** A folder whose store can't be written: what takes away is in force at once, what gives waits, and nothing is lost. */
import { describe, expect, test } from 'vitest'
import type { Accepted, AcceptedChange, Snapshot } from '../../src/folder/manifests.ts'
import { fakeForms } from '../support/fake-forms.ts'
import {
  aManifestFolder,
  apiText,
  type Fields,
  inForce,
  keyText,
  namespaceText,
  open,
  specOf,
} from '../support/manifest-folder.ts'

const ACME = namespaceText('acme')
const KEY = 'ApiKey/default/main'
const API = 'ProtectedApi/default/api'
const KEY_ID = 'kw_prod_4fQ0Zp8sLm2T'
const digest = (digit: string) => `sha256:${digit.repeat(64)}`

/** A folder that is in force, and whose store fails from now on. */
async function full(text: string) {
  const forms = fakeForms()
  const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': text })
  const folder = open(files, { forms })
  await folder.rescan()
  forms.failWith(new Error('disk full'))
  const look = async (): Promise<Snapshot> => {
    await expect(folder.rescan()).rejects.toThrow('disk full')
    return folder.current()
  }
  const edit = (edited: string) => {
    files.write('main.yaml', edited)
    return look()
  }
  const heal = () => {
    forms.failWith(undefined)
    return folder.rescan()
  }
  return { files, folder, forms, look, edit, heal }
}

const named = (changes: readonly AcceptedChange[]) =>
  changes.map(({ kind, accepted }) => `${kind} ${accepted.kind} ${accepted.name}`)

const stored = (forms: { all: () => readonly Accepted[] }, kind: string) =>
  (forms.all().find((form) => form.kind === kind)?.manifest as { spec: Fields } | undefined)?.spec

const BASE = { accessNamespace: 'acme', environment: 'production', permissions: ['license:manage'] }

describe('of an edited key', () => {
  const many = ['license:manage', 'customer:read']
  test.each<[string, Fields, Fields, Fields]>([
    ['suspending it', {}, { state: 'Suspended' }, { state: 'Suspended' }],
    ['revoking it', {}, { state: 'Revoked' }, { state: 'Revoked' }],
    ['a permission that goes', { permissions: many }, { permissions: ['license:manage'] }, {}],
    [
      'a permission that goes, beside one that comes',
      { permissions: many },
      { permissions: ['license:manage', 'telemetry:write'] },
      {},
    ],
    ['revoking it, beside a permission that comes', {}, { state: 'Revoked', permissions: many }, { state: 'Revoked' }],
    ['customers where there were none', {}, { customers: ['globex'] }, { customers: ['globex'] }],
    ['a customer that goes', { customers: ['a', 'b'] }, { customers: ['b', 'c'] }, { customers: ['b'] }],
    ['blocks where there were none', {}, { allowedCIDRs: ['10.0.0.0/8'] }, { allowedCIDRs: ['10.0.0.0/8'] }],
    [
      'narrower blocks, of both families',
      { allowedCIDRs: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.0/24'] },
      { allowedCIDRs: ['10.1.0.0/16', '2001:db8::/48', '192.0.0.0/16', '203.0.113.0/24'] },
      { allowedCIDRs: ['192.0.2.0/24', '10.1.0.0/16', '2001:db8::/48'] },
    ],
    ['raising regenerate', { overlap: '1h' }, { regenerate: 1 }, { regenerate: 1 }],
    ['a shorter overlap', { overlap: '2h' }, { overlap: '1h' }, { overlap: '1h' }],
    ['another digest', imported('a'), imported('b'), imported('b')],
    ['a rate where there was none', {}, rate(5, '1m'), rate(5, '1m')],
    ['a lower rate', rate(10, '1m'), rate(10, '1h'), rate(10, '1h')],
    ['a lower quota', quota(10), quota(5), quota(5)],
  ])('%s is in force', async (_what, before, after, left) => {
    const { edit } = await full(keyText('main', before))
    const snapshot = await edit(keyText('main', after))
    const state = 'state' in left ? {} : { state: 'Active' }
    expect(specOf(snapshot, KEY)).toEqual({ ...BASE, ...state, ...left })
    expect(named(snapshot.changed)).toEqual(['put ApiKey main'])
  })

  test.each<[string, Fields, Fields]>([
    ['resuming it', { state: 'Suspended' }, { state: 'Active' }],
    ['a permission that comes', {}, { permissions: many }],
    ['a customer that comes', { customers: ['a'] }, { customers: ['a', 'b'] }],
    ['customers that no longer limit it', { customers: ['a'] }, {}],
    ['blocks that no longer limit it', { allowedCIDRs: ['10.0.0.0/8'] }, {}],
    ['a wider block', { allowedCIDRs: ['10.1.0.0/16'] }, { allowedCIDRs: ['10.0.0.0/8'] }],
    ['a longer overlap', { overlap: '1h' }, { overlap: '2h' }],
    ['a higher rate', rate(5, '1m'), rate(6, '1m')],
    ['a rate that goes', rate(5, '1m'), {}],
    ['a quota of another period', quota(5, 'month'), quota(5, 'day')],
    ['a name for people', {}, { displayName: 'Main' }],
  ])('%s waits', async (_what, before, after) => {
    const { edit, heal } = await full(keyText('main', before))
    const snapshot = await edit(keyText('main', after))
    expect(specOf(snapshot, KEY)).toEqual({ ...BASE, ...before })
    expect(snapshot.changed).toEqual([])
    expect(specOf(await heal(), KEY)).toEqual({ ...BASE, ...after })
  })

  test.each<[string, Fields, Fields]>([
    ['permissions', { permissions: ['license:manage'] }, { permissions: ['customer:read'] }],
    ['customers', { customers: ['a'] }, { customers: ['b'] }],
    ['blocks', { allowedCIDRs: ['10.0.0.0/8'] }, { allowedCIDRs: ['192.0.2.0/24'] }],
    ['what fits beside each other', ...rotations()],
  ])('%s of which nothing is left suspend it', async (_what, before, after) => {
    const { edit } = await full(keyText('main', before))
    expect(specOf(await edit(keyText('main', after)), KEY)).toEqual({ ...BASE, ...before, state: 'Suspended' })
  })

  test('a deletion is in force', async () => {
    const { edit } = await full(keyText('main'))
    const deleted = keyText('main').replace(
      '{"name":"main"}',
      '{name: main, deletionTimestamp: "2026-11-22T12:00:00Z"}',
    )
    expect((await edit(deleted)).accepted.get(KEY)?.parsed).toMatchObject({ deleting: true })
  })
})

function imported(digit: string): Fields {
  return { delivery: { digest: digest(digit), keyId: KEY_ID } }
}

function rate(requests: number, per: string): Fields {
  return { rateLimit: { requests, per } }
}

function quota(requests: number, per = 'month'): Fields {
  return { quota: { requests, per } }
}

/** Regenerated with an overlap that only fits the longer rotation beside it. */
function rotations(): [Fields, Fields] {
  const delivery = { secretName: 'main-credential' }
  return [
    { delivery, rotation: { every: '2h' } },
    { delivery, rotation: { every: '9h' }, regenerate: 1, overlap: '8h' },
  ]
}

describe('of an edited API', () => {
  const route = (path: string, rest: Fields = { permission: 'license:manage' }) => ({ methods: ['GET'], path, ...rest })
  const A = route('/a')
  const B = route('/b')
  const hosts = (...names: string[]): Fields => ({ environments: [{ name: 'production', hosts: names }] })

  test.each<[string, Fields, Fields, Fields]>([
    ['a route that goes is gone', { routes: [A, B] }, { routes: [A] }, { routes: [A] }],
    ['a route that asks for more does', { routes: [route('/a', { public: true })] }, { routes: [A] }, { routes: [A] }],
    [
      'a route that takes from a wider one does',
      { routes: [route('/**', { authenticated: true })] },
      { routes: [route('/**', { authenticated: true }), A] },
      { routes: [route('/**', { authenticated: true }), A] },
    ],
    [
      'a route that takes from what is unmatched does',
      { unmatched: 'authenticated', routes: [A] },
      { unmatched: 'authenticated', routes: [A, B] },
      { unmatched: 'authenticated', routes: [A, B] },
    ],
    ['a route that only gives waits', { routes: [A] }, { routes: [A, B] }, { routes: [A] }],
    [
      'a host that goes is gone',
      hosts('a.example.com', 'b.example.com'),
      hosts('b.example.com', 'c.example.com'),
      hosts('b.example.com'),
    ],
    ['hosts that all go leave nobody there', hosts('a.example.com'), hosts('c.example.com'), hosts('nobody.invalid')],
    ['what is unmatched and preflights are refused', { unmatched: 'authenticated', preflight: 'allow' }, {}, {}],
    ['what is unmatched and preflights stay refused', {}, { unmatched: 'authenticated', preflight: 'allow' }, {}],
  ])('%s', async (_what, before, after, left) => {
    const { edit } = await full(apiText('api', ['api.example.com'], before))
    const snapshot = await edit(apiText('api', ['api.example.com'], after))
    const parsed = snapshot.accepted.get(API)?.parsed
    const wanted = { ...hosts('api.example.com'), unmatched: 'deny', preflight: 'deny', ...left }
    expect(parsed?.spec).toMatchObject(wanted)
  })

  test('an issuer that goes is gone, and one that comes waits', async () => {
    const tokens = (...names: string[]) => ({ tokens: names.map((issuer) => ({ issuer })) })
    const { edit } = await full(apiText('api', ['api.example.com'], tokens('one', 'two')))
    const snapshot = await edit(apiText('api', ['api.example.com'], tokens('two', 'three')))
    expect(snapshot.accepted.get(API)?.parsed.spec).toMatchObject(tokens('two'))
  })
})

test('what goes is gone, what comes waits', async () => {
  const { files, look, heal } = await full(keyText('main'))
  files.remove('main.yaml')
  files.write('other.yaml', keyText('other'), namespaceText('globex'))
  const snapshot = await look()
  expect(inForce(snapshot)).toEqual(['AccessNamespace//acme'])
  expect(named(snapshot.changed)).toEqual(['remove ApiKey main'])
  expect(named((await heal()).changed).sort()).toEqual([
    'put AccessNamespace globex',
    'put ApiKey other',
    'remove ApiKey main',
  ])
})

test('an access namespace that goes or gets another external id is reached no more', async () => {
  const { files, look } = await full(keyText('main'))
  files.write('acme.yaml', namespaceText('acme', { type: 'organization', externalId: 'other' }))
  expect(specOf(await look(), 'AccessNamespace//acme')).toMatchObject({ externalId: 'other' })
  files.remove('acme.yaml')
  expect(inForce(await look())).toEqual([KEY])
})

test('what was taken away while nothing could be stored is stored as soon as it can be, and told of again', async () => {
  const { edit, look, heal, forms } = await full(keyText('main'))
  await edit(keyText('main', { state: 'Revoked', permissions: ['license:manage', 'customer:read'] }))
  expect((await look()).changed).toEqual([])
  expect(stored(forms, 'ApiKey')).toEqual(BASE)
  const snapshot = await heal()
  expect(named(snapshot.changed)).toEqual(['put ApiKey main'])
  expect(snapshot.problems).toEqual([])
  expect(stored(forms, 'ApiKey')).toMatchObject({ state: 'Revoked', permissions: ['license:manage', 'customer:read'] })
})

test('a revocation that could not be stored is for good all the same', async () => {
  const { edit, heal, forms } = await full(keyText('main'))
  await edit(keyText('main', { state: 'Revoked' }))
  const snapshot = await edit(keyText('main'))
  expect(specOf(snapshot, KEY)).toMatchObject({ state: 'Revoked' })
  expect(snapshot.problems.map(({ field }) => field)).toContain('spec.state')
  forms.failWith(undefined)
  await heal()
  expect(stored(forms, 'ApiKey')).toMatchObject({ state: 'Revoked' })
})

test('what was taken away and is given back waits for the store', async () => {
  const { edit, heal } = await full(keyText('main'))
  await edit(keyText('main', { state: 'Suspended' }))
  expect(specOf(await edit(keyText('main')), KEY)).toMatchObject({ state: 'Suspended' })
  expect(specOf(await heal(), KEY)).toEqual(BASE)
})

test('a key that went and came back while nothing could be stored is another key', async () => {
  const { files, folder, edit, look, heal, forms } = await full(keyText('main'))
  const before = folder.current().accepted.get(KEY)?.uid
  files.remove('main.yaml')
  await look()
  expect(inForce(await edit(keyText('main')))).toEqual(['AccessNamespace//acme'])
  const snapshot = await heal()
  expect(named(snapshot.changed)).toEqual(['remove ApiKey main', 'put ApiKey main'])
  expect(snapshot.accepted.get(KEY)?.uid).not.toBe(before)
  expect(forms.all().filter(({ kind }) => kind === 'ApiKey').length).toBe(1)
})

test('a file that is renamed meanwhile and then broken keeps what it held', async () => {
  const { files, look, heal, forms } = await full(keyText('main'))
  files.move('main.yaml', 'renamed.yaml')
  await look()
  files.write('renamed.yaml', 'kind: [')
  expect(inForce(await look())).toEqual(['AccessNamespace//acme', KEY])
  await heal()
  expect(forms.all().find(({ kind }) => kind === 'ApiKey')?.file).toBe('renamed.yaml')
})

test('it is said once, in one sentence, and once when it is over', async () => {
  const { edit, look, heal } = await full(keyText('main'))
  const message =
    "what the folder says can't be stored (disk full): what it takes away is in force, what it gives waits"
  expect((await edit(keyText('main', { state: 'Revoked' }))).reported).toMatchObject([{ message, severity: 'error' }])
  expect((await look()).reported).toEqual([])
  expect((await heal()).solved).toMatchObject([{ message }])
})

test('a process whose store can not be written does not start', async () => {
  const forms = fakeForms()
  forms.failWith(new Error('disk full'))
  const folder = open(aManifestFolder({ 'acme.yaml': ACME }), { forms })
  await expect(folder.rescan()).rejects.toThrow('disk full')
  expect(inForce(folder.current())).toEqual([])
})
