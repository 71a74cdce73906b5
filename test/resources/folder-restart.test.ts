/** What a folder says at start is judged against the last accepted forms, as a live edit is. */
import { expect, test } from 'vitest'
import { fakeForms } from '../support/fake-forms.ts'
import { NOON } from '../support/make.ts'
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

/** A folder that was in force once, with the store that this left behind. */
async function stopped(main: string = keyText('main')) {
  const forms = fakeForms()
  const files = aManifestFolder({ 'acme.yaml': ACME, 'main.yaml': main })
  await open(files, { forms }).rescan()
  return { files, forms }
}

test('an unchanged folder is in force again with the same uids, generations and moments, and nothing is stored', async () => {
  const { files, forms } = await stopped()
  const snapshot = await open(files, { forms, nowMs: () => NOON + 1000 }).rescan()
  expect(snapshot.accepted.get(KEY)).toMatchObject({ uid: 'uid-2', generation: 1, firstSeenMs: NOON })
  expect([snapshot.changed, snapshot.problems, forms.transactions()]).toEqual([[], [], 1])
})

test('an edit made while nothing ran is taken over', async () => {
  const { files, forms } = await stopped()
  files.write('main.yaml', keyText('main', { state: 'Suspended' }))
  const snapshot = await open(files, { forms }).rescan()
  expect(snapshot.accepted.get(KEY)).toMatchObject({ uid: 'uid-2', generation: 2 })
})

test('an edit that would be refused live is refused at start, and the last accepted form is in force', async () => {
  const { files, forms } = await stopped()
  files.write('main.yaml', keyText('main', { environment: 'staging' }))
  const snapshot = await open(files, { forms }).rescan()
  expect(places(snapshot)).toEqual(['main.yaml:6 spec.environment'])
  expect(specOf(snapshot, KEY)).toMatchObject({ environment: 'production' })
  expect(snapshot.accepted.get(KEY)?.parsed).toMatchObject({ spec: { environment: 'production' } })
})

test('a revoked key does not come back by editing the file while nothing ran', async () => {
  const { files, forms } = await stopped(keyText('main', { state: 'Revoked' }))
  files.write('main.yaml', keyText('main', { state: 'Active' }))
  expect(specOf(await open(files, { forms }).rescan(), KEY)).toMatchObject({ state: 'Revoked' })
})

test('a file that is broken at start leaves its objects in force as they were', async () => {
  const { files, forms } = await stopped()
  files.write('main.yaml', 'kind: [')
  const snapshot = await open(files, { forms }).rescan()
  expect(snapshot.accepted.get(KEY)).toMatchObject({ uid: 'uid-2', parsed: { kind: 'ApiKey' } })
})

test('an object whose file was removed while nothing ran is removed', async () => {
  const { files, forms } = await stopped()
  files.remove('main.yaml')
  const snapshot = await open(files, { forms }).rescan()
  expect(inForce(snapshot)).toEqual(['AccessNamespace//acme'])
  expect(snapshot.changed).toMatchObject([{ kind: 'remove', accepted: { name: 'main', uid: 'uid-2' } }])
  expect(forms.all().map(({ name }) => name)).toEqual(['acme'])
})

test('an expiry that has passed meanwhile is no error', async () => {
  const { files, forms } = await stopped(keyText('main', { expiresAt: '2026-12-01T00:00:00Z' }))
  const snapshot = await open(files, { forms, nowMs: () => Date.UTC(2027, 0, 1) }).rescan()
  expect([snapshot.problems, inForce(snapshot)]).toEqual([[], ['AccessNamespace//acme', KEY]])
})

test('a form that this release can not read is set aside by name, is not removed, and is healed by its file', async () => {
  const { files, forms } = await stopped()
  const main = forms.all().find(({ name }) => name === 'main')
  if (main === undefined) throw new Error('main is not stored')
  forms.apply([
    { kind: 'put', accepted: { ...main, manifest: { kind: 'ApiKey', spec: 'as it was written long ago' } } },
  ])
  files.write('main.yaml', keyText('main', { permissions: [] }))
  const folder = open(files, { forms })
  const broken = await folder.rescan()
  expect(inForce(broken)).toEqual(['AccessNamespace//acme'])
  expect(broken.problems.map(lineOf)).toContainEqual(
    'main.yaml:1  ApiKey default/main: its last accepted form is no manifest for this release: it is set aside, and nothing of it is in force',
  )
  expect(forms.all().map(({ name }) => name)).toContain('main')
  files.write('main.yaml', keyText('main'))
  expect((await folder.rescan()).accepted.get(KEY)).toMatchObject({ uid: 'uid-2', generation: 2 })
})
