/** What a folder says comes into force, edit by edit, and what is refused leaves what was in force. */
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FolderUnreadable } from '../../src/folder/manifests.ts'
import { fakeForms } from '../support/fake-forms.ts'
import { NOON } from '../support/make.ts'
import {
  aManifestFolder,
  apiText,
  inForce,
  keyText,
  lineOf,
  namespaceText,
  open,
  places,
  specOf,
} from '../support/manifest-folder.ts'

const ACME = namespaceText('acme')

describe('what is read', () => {
  test('yaml, yml and json files, several documents in each, and sub-folders', async () => {
    const folder = aManifestFolder({
      'tree.yaml': [ACME, namespaceText('acme-web', { type: 'application', parent: 'acme' })],
      'keys/one.yml': keyText('one'),
      'keys/deep/two.json':
        '{"apiVersion": "keyward.dev/v1alpha1", "kind": "ApiKey", "metadata": {"name": "two", "namespace": "team"},\n "spec": {"accessNamespace": "acme", "environment": "staging", "permissions": ["a:b"]}}',
    })
    const snapshot = await open(folder).rescan()
    expect(inForce(snapshot)).toEqual([
      'AccessNamespace//acme',
      'AccessNamespace//acme-web',
      'ApiKey/default/one',
      'ApiKey/team/two',
    ])
    expect(snapshot.problems).toEqual([])
  })

  test('an object is accepted with its place, a uid, its first generation and the moment it came', async () => {
    const folder = aManifestFolder({ 'sub/keys.yaml': [ACME, keyText('main')] })
    const snapshot = await open(folder).rescan()
    expect(snapshot.accepted.get('ApiKey/default/main')).toMatchObject({
      kind: 'ApiKey',
      namespace: 'default',
      name: 'main',
      uid: 'uid-2',
      generation: 1,
      file: 'sub/keys.yaml',
      line: 7,
      firstSeenMs: NOON,
      manifest: { metadata: { name: 'main' }, spec: { accessNamespace: 'acme' } },
      parsed: { kind: 'ApiKey', spec: { accessNamespace: 'acme' } },
    })
    expect(snapshot.changed).toMatchObject([
      { kind: 'put', accepted: { name: 'acme' } },
      { kind: 'put', accepted: { name: 'main' } },
    ])
  })

  test('names that begin with a dot and other files are passed over', async () => {
    const folder = aManifestFolder({
      '.hidden.yaml': 'not: [yaml',
      '.git/config.yaml': 'not: [yaml',
      'README.md': 'not: [yaml',
      'notes.yaml.bak': 'not: [yaml',
      'acme.yaml': ACME,
    })
    const snapshot = await open(folder).rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//acme'])
    expect(snapshot.problems).toEqual([])
  })

  test('links are followed, and one that leads back up is not followed for ever', async () => {
    const elsewhere = aManifestFolder({ 'acme.yaml': ACME, 'more/main.yaml': keyText('main') })
    const folder = aManifestFolder({})
    symlinkSync(elsewhere.path('acme.yaml'), folder.path('linked.yaml'))
    symlinkSync(elsewhere.path('more'), folder.path('more'))
    symlinkSync(folder.dir, folder.path('more-of-me'))
    const snapshot = await open(folder).rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//acme', 'ApiKey/default/main'])
    expect(snapshot.problems).toEqual([])
  })

  test('a folder that does not exist at the first look is said to be missing', async () => {
    const folder = aManifestFolder()
    rmSync(folder.dir, { recursive: true })
    const rescan = open(folder).rescan()
    await expect(rescan).rejects.toThrow(FolderUnreadable)
    await expect(rescan).rejects.toThrow(`${folder.dir}: the folder does not exist`)
  })

  test('a file in the place of the folder is no folder', async () => {
    const folder = aManifestFolder({ 'acme.yaml': ACME })
    await expect(open({ ...folder, dir: folder.path('acme.yaml') }).rescan()).rejects.toThrow('it is not a folder')
  })

  test('a folder without manifests is a folder in which nothing is in force', async () => {
    expect(inForce(await open(aManifestFolder()).rescan())).toEqual([])
  })
})

describe('live edits', () => {
  test('a changed spec raises the generation, and the object stays the same one', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': keyText('main') })
    const folder = open(files)
    await folder.rescan()
    files.write('main.yaml', keyText('main', { state: 'Suspended' }))
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get('ApiKey/default/main')).toMatchObject({ uid: 'uid-2', generation: 2 })
    expect(specOf(snapshot, 'ApiKey/default/main')).toMatchObject({ state: 'Suspended' })
    expect(snapshot.changed).toMatchObject([{ kind: 'put', accepted: { name: 'main', generation: 2 } }])
  })

  test.each([
    ['a label', keyText('main').replace('{"name":"main"}', '{"name":"main","labels":{"team":"web"}}')],
    ['a default written out', keyText('main', { state: 'Active', regenerate: 0 })],
    ['a comment', `# the key of the website\n${keyText('main')}`],
    ['the order of fields', keyText('main').replace(/(.*accessNamespace.*\n)([\s\S]*)/, '$2$1')],
  ])('%s leaves the generation as it is', async (_what, text) => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': keyText('main') })
    const folder = open(files)
    await folder.rescan()
    files.write('main.yaml', text)
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get('ApiKey/default/main')).toMatchObject({ uid: 'uid-2', generation: 1 })
    expect(snapshot.problems).toEqual([])
  })

  test('an edit that the API server would refuse is named, and what was in force stays', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': keyText('main') })
    const folder = open(files)
    await folder.rescan()
    files.write('main.yaml', keyText('main', { environment: 'staging' }))
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([
      'main.yaml:6 spec.environment ApiKey default/main: Invalid value: "staging": environment is immutable, and was "production": make another object',
    ])
    expect(specOf(snapshot, 'ApiKey/default/main')).toMatchObject({ environment: 'production' })
    expect(snapshot.changed).toEqual([])
  })

  test('a document that is wrong by itself leaves what was in force of it, and does not touch the others of its file', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'keys.yaml': [keyText('one'), keyText('two')] })
    const folder = open(files)
    await folder.rescan()
    files.write('keys.yaml', keyText('one', { permissions: ['Nope'] }), keyText('two', { state: 'Suspended' }))
    const snapshot = await folder.rescan()
    expect(places(snapshot)).toEqual(['keys.yaml:7 spec.permissions[0]'])
    expect(specOf(snapshot, 'ApiKey/default/one')).toMatchObject({ permissions: ['license:manage'] })
    expect(specOf(snapshot, 'ApiKey/default/two')).toMatchObject({ state: 'Suspended' })
  })

  test('an object that is in no file any more is removed; made again, it is another one', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'keys.yaml': [keyText('one'), keyText('two')] })
    const folder = open(files)
    await folder.rescan()
    files.write('keys.yaml', keyText('one'))
    const gone = await folder.rescan()
    expect(inForce(gone)).toEqual(['AccessNamespace//acme', 'ApiKey/default/one'])
    expect(gone.changed).toMatchObject([{ kind: 'remove', accepted: { name: 'two', uid: 'uid-3' } }])
    files.write('keys.yaml', keyText('one'), keyText('two'))
    const back = await folder.rescan()
    expect(back.accepted.get('ApiKey/default/two')).toMatchObject({ uid: 'uid-4', generation: 1 })
  })

  test('an emptied folder is a folder from which everything was removed', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME })
    const folder = open(files)
    await folder.rescan()
    files.remove('acme.yaml')
    expect(inForce(await folder.rescan())).toEqual([])
  })

  test('a folder that is gone as a whole takes nothing with it', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': keyText('main') })
    const folder = open(files)
    await folder.rescan()
    rmSync(files.dir, { recursive: true })
    const snapshot = await folder.rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//acme', 'ApiKey/default/main'])
    expect(snapshot.problems.map(lineOf)).toEqual([
      ':0  : the folder does not exist',
      ':0  : stays in force until all of this can be read: AccessNamespace acme, ApiKey default/main',
    ])
    mkdirSync(files.dir)
    files.write('acme.yaml', ACME)
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme'])
  })

  test('a change of the same length within the same moment is seen when the file was touched', async () => {
    const files = aManifestFolder({ 'acme.yaml': namespaceText('acme', { type: 'organization', displayName: 'A' }) })
    const stamp = new Date('2026-11-22T12:00:00Z')
    utimesSync(files.path('acme.yaml'), stamp, stamp)
    const folder = open(files)
    await folder.rescan()
    writeFileSync(files.path('acme.yaml'), namespaceText('acme', { type: 'organization', displayName: 'B' }))
    utimesSync(files.path('acme.yaml'), stamp, stamp)
    expect(specOf(await folder.rescan(), 'AccessNamespace//acme')).toMatchObject({ displayName: 'B' })
  })

  test('an expiry in the past is refused for a new key, and is no error once the key has been there', async () => {
    let now = NOON
    const files = aManifestFolder({
      'acme.yaml': ACME,
      'main.yaml': keyText('main', { expiresAt: '2026-12-01T00:00:00Z' }),
      'late.yaml': keyText('late', { expiresAt: '2026-11-01T00:00:00Z' }),
    })
    const folder = open(files, { nowMs: () => now })
    const first = await folder.rescan()
    expect(places(first)).toEqual(['late.yaml:8 spec.expiresAt'])
    expect(inForce(first)).toEqual(['AccessNamespace//acme', 'ApiKey/default/main'])
    now = Date.UTC(2027, 0, 1)
    files.write('main.yaml', keyText('main', { expiresAt: '2026-12-01T00:00:00Z', displayName: 'Old' }))
    const later = await folder.rescan()
    expect(specOf(later, 'ApiKey/default/main')).toMatchObject({ displayName: 'Old' })
  })
})

describe('what is told', () => {
  test('a problem is reported once, and once when it is solved, also if it only moves to another line', async () => {
    const files = aManifestFolder({ 'acme.yaml': ACME, 'bad.yaml': keyText('bad', { permissions: [] }) })
    const folder = open(files)
    const first = await folder.rescan()
    expect(first.reported.map(({ field }) => field)).toEqual(['spec.permissions'])
    files.write('bad.yaml', `# moved\n${keyText('bad', { permissions: [] })}`)
    const moved = await folder.rescan()
    expect(places(moved)).toEqual(['bad.yaml:8 spec.permissions'])
    expect([moved.reported, moved.solved]).toEqual([[], []])
    files.write('bad.yaml', keyText('bad'))
    const good = await folder.rescan()
    expect([good.reported, good.solved.map(({ field }) => field)]).toEqual([[], ['spec.permissions']])
  })

  test('a look at an unchanged folder stores nothing and tells nothing', async () => {
    const forms = fakeForms()
    const folder = open(aManifestFolder({ 'acme.yaml': ACME, 'bad.yaml': 'kind: [' }), { forms })
    await folder.rescan()
    const again = await folder.rescan()
    expect([again.changed, again.reported, again.solved]).toEqual([[], [], []])
    expect(places(again)).toEqual(['bad.yaml:1 '])
    expect(forms.transactions()).toBe(1)
  })

  test('what can not be stored does not come into force, and is tried again', async () => {
    const forms = fakeForms()
    const files = aManifestFolder({ 'acme.yaml': ACME })
    const folder = open(files, { forms })
    await folder.rescan()
    forms.failWith(new Error('disk full'))
    files.write('more.yaml', namespaceText('globex'))
    await expect(folder.rescan()).rejects.toThrow('disk full')
    expect(inForce(folder.current())).toEqual(['AccessNamespace//acme'])
    forms.failWith(undefined)
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme', 'AccessNamespace//globex'])
  })

  test('all changes of one look are stored in one transaction', async () => {
    const forms = fakeForms()
    const files = aManifestFolder({ 'acme.yaml': ACME, 'keys.yaml': [keyText('one'), keyText('two')] })
    await open(files, { forms }).rescan()
    expect([forms.transactions(), forms.all().length]).toEqual([1, 3])
  })
})

test('a host that another API has can be served once that one lets it go', async () => {
  const files = aManifestFolder({ 'a.yaml': apiText('a', ['api.example.com']) })
  const folder = open(files)
  await folder.rescan()
  files.write('b.yaml', apiText('b', ['api.example.com']))
  expect((await folder.rescan()).problems.map(lineOf)).toEqual([
    'b.yaml:5 spec.environments[0].hosts[0] ProtectedApi default/b: Invalid value: "api.example.com": it already belongs to ProtectedApi default/a, which goes on serving it',
  ])
  files.write('a.yaml', apiText('a', ['other.example.com']))
  expect((await folder.rescan()).problems).toEqual([])
})
