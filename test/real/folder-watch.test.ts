/** A watched folder on a real disk: every edit is in force within a second, however it is made. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { FolderProblem, Snapshot } from '../../src/folder/manifests.ts'
import { awakeFor } from '../support/awake.ts'
import { fakeForms } from '../support/fake-forms.ts'
import { aManifestFolder, inForce, keyText, lineOf, namespaceText, open } from '../support/manifest-folder.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const ACME = namespaceText('acme')
const KEY = 'ApiKey/default/main'

/** A folder that is watched until the test is over, and all that was told of it. */
async function watched(files: Readonly<Record<string, string>> = {}) {
  const forms = fakeForms()
  const manifests = aManifestFolder({ 'acme.yaml': ACME, ...files })
  const folder = open(manifests, { forms })
  await folder.rescan()
  const told: Snapshot[] = []
  const watching = folder.watch((snapshot) => told.push(snapshot))
  onTestFinished(watching.stop)
  // the watchers are there after the first look
  await awakeFor(120)
  const becomes = (what: string, is: (snapshot: Snapshot) => boolean) =>
    until(what, () => is(folder.current()), 1000).then(() => folder.current())
  return { files: manifests, folder, forms, told, becomes, stop: watching.stop }
}

const state = (snapshot: Snapshot) => {
  const parsed = snapshot.accepted.get(KEY)?.parsed
  return parsed?.kind === 'ApiKey' ? parsed.spec.state : undefined
}
const changes = (told: readonly Snapshot[]) => told.flatMap(({ changed }) => changed.map(({ kind }) => kind))
const words = (problems: readonly FolderProblem[]) => problems.map(lineOf)

test(
  'a file added, edited, replaced by rename and removed is in force within a second each time',
  THREE_TRIALS,
  async () => {
    const { files, becomes, told } = await watched()
    files.write('main.yaml', keyText('main'))
    const added = await becomes('added', (snapshot) => state(snapshot) === 'Active')
    const uid = added.accepted.get(KEY)?.uid
    files.write('main.yaml', keyText('main', { state: 'Suspended' }))
    await becomes('edited', (snapshot) => state(snapshot) === 'Suspended')
    files.replace('main.yaml', keyText('main', { state: 'Active' }))
    const replaced = await becomes('replaced', (snapshot) => state(snapshot) === 'Active')
    expect(replaced.accepted.get(KEY)).toMatchObject({ uid, generation: 3 })
    files.remove('main.yaml')
    await becomes('removed', (snapshot) => !snapshot.accepted.has(KEY))
    expect(changes(told)).toEqual(['put', 'put', 'put', 'remove'])
  },
)

test('a sub-folder made later, removed and made again is watched as well', THREE_TRIALS, async () => {
  const { files, becomes } = await watched()
  files.write('team/web/main.yaml', keyText('main'))
  await becomes('added', (snapshot) => state(snapshot) === 'Active')
  files.write('team/web/main.yaml', keyText('main', { state: 'Suspended' }))
  await becomes('edited', (snapshot) => state(snapshot) === 'Suspended')
  rmSync(files.path('team'), { recursive: true })
  files.write('team/web/main.yaml', keyText('main', { state: 'Active' }))
  await becomes('made again', (snapshot) => state(snapshot) === 'Active')
  files.write('team/web/main.yaml', keyText('main', { state: 'Suspended' }))
  await becomes('edited again', (snapshot) => state(snapshot) === 'Suspended')
})

test(
  'an object that moves to another file is not removed, in whichever order and with a pause between',
  THREE_TRIALS,
  async () => {
    const { files, becomes, told } = await watched({ 'main.yaml': keyText('main') })
    files.write('sub/new.yaml', keyText('main'))
    await wait(90)
    files.remove('main.yaml')
    await becomes('moved to a new file', ({ accepted }) => accepted.get(KEY)?.file === 'sub/new.yaml')
    files.remove('sub/new.yaml')
    await wait(90)
    files.write('back.yaml', keyText('main'))
    await becomes('moved back', ({ accepted }) => accepted.get(KEY)?.file === 'back.yaml')
    await wait(400)
    expect(changes(told)).toEqual(['put', 'put'])
  },
)

test('a file that a link leads to outside of the folder is looked at as well', THREE_TRIALS, async () => {
  const elsewhere = aManifestFolder({ 'main.yaml': keyText('main') })
  const { files, becomes } = await watched()
  symlinkSync(elsewhere.path('main.yaml'), files.path('main.yaml'))
  await becomes('linked', (snapshot) => state(snapshot) === 'Active')
  elsewhere.write('main.yaml', keyText('main', { state: 'Suspended' }))
  await becomes('edited behind the link', (snapshot) => state(snapshot) === 'Suspended')
})

test(
  'swapping the folder behind a link, as kubelet does with a ConfigMap, is in force within a second',
  THREE_TRIALS,
  async () => {
    const { files, becomes } = await watched()
    const publish = (stamp: string, text: string) => {
      mkdirSync(files.path(`..${stamp}`))
      writeFileSync(files.path(`..${stamp}/main.yaml`), text)
      symlinkSync(`..${stamp}`, files.path('..data_tmp'))
      renameSync(files.path('..data_tmp'), files.path('..data'))
    }
    publish('2026_1', keyText('main'))
    symlinkSync('..data/main.yaml', files.path('main.yaml'))
    await becomes('published', (snapshot) => state(snapshot) === 'Active')
    publish('2026_2', keyText('main', { state: 'Suspended' }))
    rmSync(files.path('..2026_1'), { recursive: true })
    await becomes('swapped', (snapshot) => state(snapshot) === 'Suspended')
  },
)

test(
  'the folder itself may go and come back: meanwhile all stays, afterwards edits are seen',
  THREE_TRIALS,
  async () => {
    const { files, becomes } = await watched({ 'main.yaml': keyText('main') })
    renameSync(files.dir, `${files.dir}.away`)
    onTestFinished(() => rmSync(`${files.dir}.away`, { recursive: true, force: true }))
    const gone = await becomes('gone', ({ problems }) => problems.length > 0)
    expect(inForce(gone)).toEqual(['AccessNamespace//acme', KEY])
    renameSync(`${files.dir}.away`, files.dir)
    await becomes('back', ({ problems }) => problems.length === 0)
    files.write('main.yaml', keyText('main', { state: 'Suspended' }))
    await becomes('edited', (snapshot) => state(snapshot) === 'Suspended')
  },
)

test('a broken edit is told once with file and line, and once when it is solved', THREE_TRIALS, async () => {
  const { files, told, becomes } = await watched({ 'main.yaml': keyText('main') })
  files.write('main.yaml', keyText('main', { permissions: ['Nope'] }))
  await becomes('refused', ({ problems }) => problems.length === 1)
  await wait(700)
  files.write('main.yaml', keyText('main'))
  await becomes('solved', ({ problems }) => problems.length === 0)
  const place = 'main.yaml:7 spec.permissions[0] ApiKey default/main'
  expect(words(told.flatMap(({ reported }) => reported))).toEqual([expect.stringContaining(place)])
  expect(words(told.flatMap(({ solved }) => solved))).toEqual([expect.stringContaining(place)])
})

test('a thousand files written at once are all in force, in few looks', THREE_TRIALS, async () => {
  const { files, told, becomes } = await watched()
  for (let i = 0; i < 1000; i++) files.write(`many/${i % 10}/key-${i}.yaml`, keyText(`key-${i}`))
  await until('all in force', () => told.at(-1)?.accepted.size === 1001)
  expect(told.length).toBeLessThan(10)
  rmSync(files.path('many'), { recursive: true })
  await becomes('all gone', ({ accepted }) => accepted.size === 1)
})

test('what can not be stored is told, is not in force, and is tried again until it can', THREE_TRIALS, async () => {
  const { files, forms, told, becomes } = await watched()
  forms.failWith(new Error('disk full'))
  files.write('main.yaml', keyText('main'))
  await until('told', () => told.at(-1)?.reported.length === 1, 1000)
  expect(words(told.at(-1)?.reported ?? [])).toEqual([
    ":0  : what the folder says can't be stored (disk full): what it takes away is in force, what it gives waits",
  ])
  expect(inForce(told.at(-1) ?? (await becomes('', () => false)))).toEqual(['AccessNamespace//acme'])
  forms.failWith(undefined)
  await becomes('in force', (snapshot) => state(snapshot) === 'Active')
  expect(told.at(-1)?.solved.length).toBe(1)
})

test(
  'what takes away is in force within a second although it can not be stored, and is stored once it can',
  THREE_TRIALS,
  async () => {
    const { files, forms, told, becomes } = await watched({
      'main.yaml': keyText('main'),
      'other.yaml': keyText('other'),
    })
    forms.failWith(new Error('disk full'))
    files.write('main.yaml', keyText('main', { state: 'Revoked' }))
    await becomes('revoked', (snapshot) => state(snapshot) === 'Revoked')
    files.remove('other.yaml')
    await becomes('removed', ({ accepted }) => !accepted.has('ApiKey/default/other'))
    await wait(1200)
    expect(told.flatMap(({ reported }) => reported).length).toBe(1)
    expect(changes(told)).toEqual(['put', 'remove'])
    forms.failWith(undefined)
    await until('stored', () => forms.all().length === 2, 1000)
    expect(changes(told)).toEqual(['put', 'remove', 'put', 'remove'])
    expect(told.at(-1)?.solved.length).toBe(1)
  },
)

test('once stopped, nothing is looked at any more', THREE_TRIALS, async () => {
  const { files, folder, stop } = await watched()
  stop()
  // a look that was under way comes to its end
  await awakeFor(300)
  files.write('main.yaml', keyText('main'))
  await wait(900)
  expect(inForce(folder.current())).toEqual(['AccessNamespace//acme'])
})
