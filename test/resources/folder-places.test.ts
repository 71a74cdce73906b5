/** One object and the files that speak of it: moves, doubles, files that can't be read, and what is on its way. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { judge } from '../../src/folder/judge.ts'
import {
  aManifestFolder,
  inForce,
  keyText,
  lineOf,
  namespaceText,
  open,
  places,
  specOf,
} from '../support/manifest-folder.ts'

const ACME = namespaceText('acme')
const KEY = 'ApiKey/default/main'

/** A folder with acme and one key, already in force. */
async function withMain(
  files: Readonly<Record<string, string | readonly string[]>> = { 'main.yaml': keyText('main') },
) {
  const manifests = aManifestFolder({ 'acme.yaml': ACME, ...files })
  const folder = open(manifests)
  const first = await folder.rescan()
  return { files: manifests, folder, uid: first.accepted.get(KEY)?.uid }
}

describe('moves', () => {
  test('an object that moved to another file is the same one', async () => {
    const { files, folder, uid } = await withMain()
    files.move('main.yaml', 'sub/other.yaml')
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, generation: 1, file: 'sub/other.yaml' })
    expect(snapshot.changed).toMatchObject([{ kind: 'put', accepted: { file: 'sub/other.yaml' } }])
  })

  test('an object that moved and changed at once is judged as a change', async () => {
    const { files, folder, uid } = await withMain()
    files.remove('main.yaml')
    files.write('other.yaml', keyText('main', { environment: 'staging', state: 'Suspended' }))
    const snapshot = await folder.rescan()
    expect(places(snapshot)).toEqual(['other.yaml:6 spec.environment'])
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, file: 'other.yaml' })
    expect(specOf(snapshot, KEY)).toMatchObject({ environment: 'production' })
  })

  test('a file replaced by rename is one edit', async () => {
    const { files, folder, uid } = await withMain()
    files.replace('main.yaml', keyText('main', { state: 'Suspended' }))
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, generation: 2 })
  })

  test('a broken file that is renamed keeps what it held', async () => {
    const { files, folder, uid } = await withMain()
    files.write('main.yaml', 'kind: [')
    await folder.rescan()
    files.move('main.yaml', 'renamed.yaml')
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, file: 'renamed.yaml' })
    expect(snapshot.changed).toMatchObject([{ kind: 'put', accepted: { file: 'renamed.yaml' } }])
  })

  test('swapping the folder behind a link, as kubelet does with a ConfigMap, is one edit of all its files', async () => {
    const files = aManifestFolder()
    const publish = (stamp: string, documents: Readonly<Record<string, string>>) => {
      mkdirSync(files.path(`..${stamp}`))
      for (const [name, text] of Object.entries(documents)) writeFileSync(files.path(`..${stamp}/${name}`), text)
      symlinkSync(`..${stamp}`, files.path('..data_tmp'))
      renameSync(files.path('..data_tmp'), files.path('..data'))
    }
    publish('2026_1', { 'acme.yaml': ACME, 'main.yaml': keyText('main') })
    symlinkSync('..data/acme.yaml', files.path('acme.yaml'))
    symlinkSync('..data/main.yaml', files.path('main.yaml'))
    const folder = open(files)
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme', KEY])
    publish('2026_2', { 'acme.yaml': ACME, 'main.yaml': keyText('main', { state: 'Suspended' }) })
    rmSync(files.path('..2026_1'), { recursive: true })
    const edited = await folder.rescan()
    expect(specOf(edited, KEY)).toMatchObject({ state: 'Suspended' })
    publish('2026_3', { 'acme.yaml': ACME })
    // until kubelet has cleared the link away it leads nowhere
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme', KEY])
    rmSync(files.path('main.yaml'))
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme'])
  })
})

describe('one object in two places', () => {
  test('at the first look the first path has it, and the other is told where the first is', async () => {
    const files = aManifestFolder({
      'acme.yaml': ACME,
      'b.yaml': keyText('main', { displayName: 'from b' }),
      'a.yaml': [keyText('other'), keyText('main', { displayName: 'from a' })],
    })
    const snapshot = await open(files).rescan()
    expect(specOf(snapshot, KEY)).toMatchObject({ displayName: 'from a' })
    expect(snapshot.problems.map(lineOf)).toEqual([
      'b.yaml:1  ApiKey default/main: ApiKey default/main is already declared in a.yaml:9; that place counts, not this one',
    ])
  })

  test('the place that is in force stays, even when an earlier path declares the object as well', async () => {
    const { files, folder } = await withMain()
    files.write('a.yaml', keyText('main', { displayName: 'from a' }))
    const snapshot = await folder.rescan()
    expect(specOf(snapshot, KEY)).not.toHaveProperty('displayName')
    expect(places(snapshot)).toEqual(['a.yaml:1 '])
    files.write('main.yaml', keyText('main', { displayName: 'from main' }))
    expect(specOf(await folder.rescan(), KEY)).toMatchObject({ displayName: 'from main' })
  })

  test('twice in one file: the one that is in force stays, wherever the other was put', async () => {
    const { files, folder } = await withMain()
    files.write('main.yaml', keyText('main', { displayName: 'put above' }), keyText('main'))
    const snapshot = await folder.rescan()
    expect(specOf(snapshot, KEY)).not.toHaveProperty('displayName')
    expect(places(snapshot)).toEqual(['main.yaml:1 '])
  })

  test('when the place in force is gone the other takes over, as an edit of the same object', async () => {
    const { files, folder, uid } = await withMain()
    files.write('second.yaml', keyText('main', { state: 'Suspended' }))
    await folder.rescan()
    files.remove('main.yaml')
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, generation: 2, file: 'second.yaml' })
    expect(snapshot.problems).toEqual([])
  })

  test('while the place in force can not be read no other place may change the object', async () => {
    const { files, folder } = await withMain()
    files.write('main.yaml', 'kind: [')
    files.write('second.yaml', keyText('main', { permissions: ['license:manage', 'everything:write'] }))
    const snapshot = await folder.rescan()
    expect(specOf(snapshot, KEY)).toMatchObject({ permissions: ['license:manage'] })
    expect(snapshot.problems.map(lineOf)).toContainEqual(
      "second.yaml:1  ApiKey default/main: ApiKey default/main is in force from main.yaml, which can't be read in full now; this place counts once it is gone from there",
    )
  })
})

describe('files that can not be read, or only in part', () => {
  test('objects of a file that is no YAML any more stay in force', async () => {
    const { files, folder, uid } = await withMain()
    files.write('main.yaml', 'kind: ApiKey\nspec: {]\n')
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid, generation: 1 })
    expect(places(snapshot)).toEqual(['main.yaml:0 ', 'main.yaml:2 '])
    expect(snapshot.problems[0]?.message).toBe('stays in force until all of this can be read: ApiKey default/main')
  })

  test('one broken document of three hides what it held, and nothing else', async () => {
    const { files, folder } = await withMain({ 'keys.yaml': [keyText('one'), keyText('main'), keyText('three')] })
    files.write('keys.yaml', keyText('one', { state: 'Suspended' }), 'kind: [\n', keyText('three'), keyText('four'))
    const snapshot = await folder.rescan()
    expect(inForce(snapshot)).toEqual([
      'AccessNamespace//acme',
      'ApiKey/default/four',
      KEY,
      'ApiKey/default/one',
      'ApiKey/default/three',
    ])
    expect(specOf(snapshot, 'ApiKey/default/one')).toMatchObject({ state: 'Suspended' })
  })

  test.each([
    ['its kind', keyText('main').replace('kind: ApiKey', 'kind: ApiKeys')],
    ['its name', keyText('main').replace('"main"', '"Main Website"')],
    ['its group', keyText('main').replace('keyward.dev/v1alpha1', 'keyward.de/v1alpha1')],
    ['its version', keyText('main').replace('keyward.dev/v1alpha1', 'keyward.dev/v1')],
    ['its Kubernetes namespace', keyText('main').replace('{"name":"main"}', '{"name":"main","namespace":7}')],
    ['its metadata', keyText('main').replace('{"name":"main"}', '[]')],
  ])('a mistake in %s does not remove the object', async (_what, text) => {
    const { files, folder, uid } = await withMain()
    files.write('main.yaml', text)
    const snapshot = await folder.rescan()
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid })
    expect(snapshot.problems.length).toBeGreaterThan(0)
  })

  test("another group's object in the file hides nothing: what is gone from the file is removed", async () => {
    const { files, folder } = await withMain()
    files.write('main.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: main}\n')
    const snapshot = await folder.rescan()
    expect(inForce(snapshot)).toEqual(['AccessNamespace//acme'])
    expect(snapshot.problems.map(lineOf)).toEqual([
      'main.yaml:1 apiVersion ConfigMap default/main: "ConfigMap" of "v1" is not Keyward\'s: this folder takes AccessNamespace, ApiKey, ProtectedApi, TokenIssuer of keyward.dev/v1alpha1',
    ])
  })

  test('a wrong document whose name is plain hides nothing either', async () => {
    const { files, folder } = await withMain()
    files.write('main.yaml', keyText('other', { permissions: [] }))
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme'])
  })

  test('what a refused document was in force as stays while its file is broken, also in the file that it moved to', async () => {
    const { files, folder } = await withMain()
    files.remove('main.yaml')
    files.write('other.yaml', keyText('main', { environment: 'staging' }))
    await folder.rescan()
    files.write('other.yaml', 'kind: [')
    expect(inForce(await folder.rescan())).toEqual(['AccessNamespace//acme', KEY])
  })

  test.each([
    ['not UTF-8', Buffer.from([0x6b, 0x3a, 0x20, 0xff, 0xfe]), 'is not UTF-8'],
    ['a link to nothing', undefined, 'is a link to something that does not exist'],
  ])('%s is named as such and keeps what it held', async (_what, bytes, message) => {
    const { files, folder, uid } = await withMain()
    rmSync(files.path('main.yaml'))
    if (bytes === undefined) symlinkSync('nowhere.yaml', files.path('main.yaml'))
    else writeFileSync(files.path('main.yaml'), bytes)
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([
      `main.yaml:0  : ${message}`,
      'main.yaml:0  : stays in force until all of this can be read: ApiKey default/main',
    ])
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid })
  })

  test('a sub-folder that is a circle of links keeps what it held', async () => {
    const { files, folder, uid } = await withMain({ 'sub/main.yaml': keyText('main') })
    files.remove('sub')
    symlinkSync('sub', files.path('sub'))
    const snapshot = await folder.rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([
      "sub:0  : can't be read: its links go round in a circle",
      'sub:0  : stays in force until all of this can be read: ApiKey default/main',
    ])
    expect(snapshot.accepted.get(KEY)).toMatchObject({ uid })
  })
})

describe('removals that wait', () => {
  const parsed = { kind: 'AccessNamespace', name: 'acme', spec: { type: 'organization', externalId: 'acme' } } as const
  const acme = {
    kind: 'AccessNamespace',
    namespace: '',
    name: 'acme',
    uid: 'uid-1',
    generation: 1,
    manifest: {},
    file: 'acme.yaml',
    line: 1,
    firstSeenMs: 0,
    parsed: { ...parsed, spec: { ...parsed.spec, parent: undefined, displayName: undefined } },
  }
  const emptied = {
    inForce: new Map([['AccessNamespace//acme', acme]]),
    seen: [],
    hidingPlace: () => undefined,
    renamed: new Map(),
    nowMs: 1,
    newUid: () => 'uid-2',
  }

  test('an object that is gone is held back at a first look', () => {
    const { inForce: left, changes, heldBack, complaints } = judge({ ...emptied, removals: 'later' })
    expect([[...left.keys()], changes, heldBack, complaints]).toEqual([['AccessNamespace//acme'], [], 1, []])
  })

  test('and removed at the second', () => {
    const { inForce: left, changes, heldBack } = judge({ ...emptied, removals: 'now' })
    expect([[...left.keys()], changes.map(({ kind }) => kind), heldBack]).toEqual([[], ['remove'], 0])
  })
})
