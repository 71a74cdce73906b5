/** Rules between objects of a folder: who is whose parent, who has an external id, who serves a host. */
import { describe, expect, test } from 'vitest'
import {
  aManifestFolder,
  apiText,
  inForce,
  keyText,
  lineOf,
  namespaceText,
  open,
  specOf,
} from '../support/manifest-folder.ts'

const ACME = namespaceText('acme')
const WEB = namespaceText('acme-web', { type: 'application', parent: 'acme' })

describe('the tree of access namespaces', () => {
  test('one whose parent is missing is not accepted, and is as soon as the parent is there', async () => {
    const files = aManifestFolder({ 'web.yaml': WEB })
    const folder = open(files)
    const first = await folder.rescan()
    expect(inForce(first)).toEqual([])
    expect(first.problems.map(lineOf)).toEqual([
      'web.yaml:6 spec.parent AccessNamespace acme-web: there is no AccessNamespace acme',
    ])
    files.write('acme.yaml', ACME)
    const second = await folder.rescan()
    expect(inForce(second)).toEqual(['AccessNamespace//acme', 'AccessNamespace//acme-web'])
    expect(second.solved.map(({ field }) => field)).toEqual(['spec.parent'])
  })

  test('what hangs below a refused one is refused with it, each with its own line', async () => {
    const files = aManifestFolder({
      'tree.yaml': [
        namespaceText('acme-web', { type: 'application', parent: 'nobody' }),
        namespaceText('acme-web-eu', { type: 'workspace', parent: 'acme-web' }),
        namespaceText('globex'),
      ],
    })
    const snapshot = await open(files).rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//globex'])
    expect(snapshot.problems.map(lineOf)).toEqual([
      'tree.yaml:6 spec.parent AccessNamespace acme-web: there is no AccessNamespace nobody',
      'tree.yaml:13 spec.parent AccessNamespace acme-web-eu: acme-web is not accepted itself',
    ])
  })

  test('a parent of the wrong type is named with the types that would be right', async () => {
    const files = aManifestFolder({ 'tree.yaml': [ACME, namespaceText('eu', { type: 'workspace', parent: 'acme' })] })
    const [problem] = (await open(files).rescan()).problems
    expect(problem).toMatchObject({ line: 12, field: 'spec.parent', object: 'AccessNamespace eu' })
    expect(problem?.message).toContain('acme is of type organization')
  })

  test('one that was accepted and loses its parent is remarked on, and stays accepted', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'web.yaml': WEB })
    const folder = open(files)
    await folder.rescan()
    files.remove('acme.yaml')
    const snapshot = await folder.rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//acme-web'])
    expect(snapshot.problems).toMatchObject([{ file: 'web.yaml', field: 'spec.parent', severity: 'warning' }])
  })

  test('an external id that another one of the type has is refused to a new namespace', async () => {
    const files = aManifestFolder({ 'b.yaml': namespaceText('globex', { type: 'organization', externalId: 'x' }) })
    const folder = open(files)
    await folder.rescan()
    files.write('a.yaml', namespaceText('acme', { type: 'organization', externalId: 'x' }))
    const snapshot = await folder.rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//globex'])
    expect(snapshot.problems.map(lineOf)).toEqual([
      'a.yaml:6 spec.externalId AccessNamespace acme: x is already the organization globex',
    ])
  })

  test('an older namespace can not take the external id of a younger one by an edit', async () => {
    let now = 1
    const files = aManifestFolder({ 'acme.yaml': ACME })
    const folder = open(files, { nowMs: () => now })
    await folder.rescan()
    now = 2
    files.write('globex.yaml', namespaceText('globex', { type: 'organization', externalId: 'x' }))
    await folder.rescan()
    files.write('acme.yaml', namespaceText('acme', { type: 'organization', externalId: 'x' }))
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([
      'acme.yaml:6 spec.externalId AccessNamespace acme: x is already the organization globex',
    ])
    expect(specOf(snapshot, 'AccessNamespace//acme')).not.toHaveProperty('externalId')
  })

  test('two namespaces may exchange their external ids in one edit', async () => {
    const both = (a: string, b: string) => [
      namespaceText('acme', { type: 'organization', externalId: a }),
      namespaceText('globex', { type: 'organization', externalId: b }),
    ]
    const files = aManifestFolder({ 'tree.yaml': both('x', 'y') })
    const folder = open(files)
    await folder.rescan()
    files.write('tree.yaml', ...both('y', 'x'))
    const snapshot = await folder.rescan()
    expect(snapshot.problems).toEqual([])
    expect(specOf(snapshot, 'AccessNamespace//acme')).toMatchObject({ externalId: 'y' })
  })

  test('edits that rest on a refused one are refused with it', async () => {
    const tree = (a: string, b: string) => [
      namespaceText('acme', { type: 'organization', externalId: a }),
      namespaceText('globex', { type: 'organization', externalId: b }),
      namespaceText('initech', { type: 'organization', externalId: 'z' }),
    ]
    const files = aManifestFolder({ 'tree.yaml': tree('x', 'y') })
    const folder = open(files)
    await folder.rescan()
    // globex can't have z, hence keeps y, hence acme can't have y
    files.write('tree.yaml', ...tree('y', 'z'))
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([
      'tree.yaml:6 spec.externalId AccessNamespace acme: y is already the organization globex',
      'tree.yaml:13 spec.externalId AccessNamespace globex: z is already the organization initech',
    ])
    expect(specOf(snapshot, 'AccessNamespace//acme')).toMatchObject({ externalId: 'x' })
    expect(specOf(snapshot, 'AccessNamespace//globex')).toMatchObject({ externalId: 'y' })
  })
})

test('a key of an unknown access namespace is accepted, and said to reach nothing', async () => {
  const files = aManifestFolder({ 'main.yaml': keyText('main') })
  const snapshot = await open(files).rescan()
  expect(inForce(snapshot)).toEqual(['ApiKey/default/main'])
  expect(snapshot.problems).toMatchObject([{ line: 5, field: 'spec.accessNamespace', severity: 'warning' }])
  expect(snapshot.problems[0]?.message).toBe(
    'Invalid value: "acme": there is no such AccessNamespace, and until there is one the key is refused on every route that is not public',
  )
})

test('of thousands of keys that lose their access namespace twenty are named, and the rest is counted', async () => {
  const keys = Array.from({ length: 25 }, (_, i) => keyText(`key-${i}`))
  const snapshot = await open(aManifestFolder({ 'keys.yaml': keys })).rescan()
  expect(snapshot.problems.length).toBe(20)
  expect(snapshot.problems.at(-1)?.message).toMatch(/; so it is with 5 more$/)
})

test('a digest that two keys import belongs to the first of them', async () => {
  const delivery = { digest: `sha256:${'a'.repeat(64)}`, keyId: 'kw_prod_4fQ0Zp8sLm2T' }
  const files = aManifestFolder({
    'a.yaml': [ACME, keyText('one', { delivery })],
    'b.yaml': keyText('two', { delivery }),
  })
  const snapshot = await open(files).rescan()
  expect(snapshot.problems).toMatchObject([
    { file: 'b.yaml', line: 8, field: 'spec.delivery.digest', severity: 'warning' },
    { file: 'b.yaml', line: 8, field: 'spec.delivery.keyId', severity: 'warning' },
  ])
})

describe('hosts', () => {
  const HOST = 'api.example.com'
  const taken = (object: string, holder: string) =>
    `spec.environments[0].hosts[0] ProtectedApi default/${object}: Invalid value: "${HOST}": it already belongs to ProtectedApi default/${holder}, which goes on serving it`

  test('a new API that names a taken host is accepted, and told who serves it', async () => {
    const files = aManifestFolder({ 'a.yaml': apiText('a', [HOST]), 'b.yaml': apiText('b', [HOST, 'b.example.com']) })
    const snapshot = await open(files).rescan()
    expect(inForce(snapshot)).toEqual(['ProtectedApi/default/a', 'ProtectedApi/default/b'])
    expect(snapshot.problems.map(lineOf)).toEqual([`b.yaml:5 ${taken('b', 'a')}`])
  })

  test('an edit can not take a host from a younger API that serves it', async () => {
    let now = 1
    const files = aManifestFolder({ 'a.yaml': apiText('a', ['a.example.com']) })
    const folder = open(files, { nowMs: () => now })
    await folder.rescan()
    now = 2
    files.write('b.yaml', apiText('b', [HOST]))
    await folder.rescan()
    files.write('a.yaml', apiText('a', [HOST]))
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([`a.yaml:5 ${taken('a', 'b')}`])
    expect(snapshot.accepted.get('ProtectedApi/default/a')).toMatchObject({ generation: 1 })
  })

  test('who came first stays so when files are renamed', async () => {
    const files = aManifestFolder({ 'b.yaml': apiText('first', [HOST]), 'c.yaml': apiText('second', [HOST]) })
    const folder = open(files)
    await folder.rescan()
    files.move('c.yaml', 'a.yaml')
    expect((await folder.rescan()).problems.map(lineOf)).toEqual([`a.yaml:5 ${taken('second', 'first')}`])
  })

  test('an API that waits for a host may still be edited otherwise', async () => {
    const files = aManifestFolder({ 'a.yaml': apiText('a', [HOST]), 'b.yaml': apiText('b', [HOST]) })
    const folder = open(files)
    await folder.rescan()
    files.write('b.yaml', apiText('b', [HOST], { preflight: 'allow' }))
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get('ProtectedApi/default/b')).toMatchObject({ generation: 2 })
    expect(snapshot.problems.map(({ severity }) => severity)).toEqual(['warning'])
  })

  test('the same holds after a restart', async () => {
    const files = aManifestFolder({ 'a.yaml': apiText('a', ['a.example.com']), 'b.yaml': apiText('b', [HOST]) })
    const folder = open(files)
    const stored = [...(await folder.rescan()).accepted.values()].map(({ parsed: _, ...form }) => form)
    files.write('a.yaml', apiText('a', [HOST]))
    const forms = { all: () => stored, apply: () => undefined }
    const snapshot = await open(files, { forms }).rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([`a.yaml:5 ${taken('a', 'b')}`])
    expect(specOf(snapshot, 'ProtectedApi/default/a')).toMatchObject({ environments: [{ hosts: ['a.example.com'] }] })
    expect(snapshot.accepted.get('ProtectedApi/default/a')?.parsed.kind).toBe('ProtectedApi')
  })

  test('a host handed over from one API to another in one edit changes hands', async () => {
    const files = aManifestFolder({ 'a.yaml': apiText('a', [HOST]), 'b.yaml': apiText('b', ['b.example.com']) })
    const folder = open(files)
    await folder.rescan()
    files.write('a.yaml', apiText('a', ['a.example.com']))
    files.write('b.yaml', apiText('b', [HOST]))
    const snapshot = await folder.rescan()
    expect(snapshot.problems).toEqual([])
    expect(snapshot.accepted.get('ProtectedApi/default/b')).toMatchObject({ generation: 2 })
  })
})

describe('issuers of tokens', () => {
  const issuer = `apiVersion: keyward.dev/v1alpha1
kind: TokenIssuer
metadata: {name: platform}
spec:
  issuer: https://id.example.com
  audiences: [api]
  jwksUri: https://id.example.com/jwks
  algorithms: [ES256]
  claims: {accessNamespace: ns, permissions: scope}
`
  const api = apiText('a', ['api.example.com'], { tokens: [{ issuer: 'platform' }] })

  test('an API that names one that is not there is in force, with a warning', async () => {
    const files = aManifestFolder({ 'a.yaml': api })
    const folder = open(files)
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.size).toBe(1)
    expect(snapshot.problems.map(lineOf)).toEqual([
      'a.yaml:7 spec.tokens[0].issuer ProtectedApi default/a: Invalid value: "platform": there is no such TokenIssuer, and until there is one none of its access tokens is accepted',
    ])
    files.write('issuer.yaml', issuer)
    expect((await folder.rescan()).problems).toEqual([])
  })
})

describe('a key that was being deleted where its manifest comes from', () => {
  const exported = (value: string) =>
    keyText('main').replace('{"name":"main"}', `{name: main, deletionTimestamp: ${value}}`)

  test.each(['"2026-11-22T12:00:00Z"', '"soon"', '0', '""'])(
    'is in force as deleted, with a warning: %s',
    async (value) => {
      const snapshot = await open(aManifestFolder({ 'a.yaml': [ACME, exported(value)] })).rescan()
      expect(snapshot.accepted.get('ApiKey/default/main')?.parsed).toMatchObject({ deleting: true })
      expect(snapshot.problems).toMatchObject([{ field: 'metadata.deletionTimestamp', severity: 'warning' }])
    },
  )

  test('is not deleted where the field is empty', async () => {
    const snapshot = await open(aManifestFolder({ 'a.yaml': [ACME, exported('null')] })).rescan()
    expect(snapshot.accepted.get('ApiKey/default/main')?.parsed).not.toHaveProperty('deleting')
    expect(snapshot.problems).toEqual([])
  })
})
