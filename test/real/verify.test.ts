/** `keyward verify --data` as people call it: a process of its own, on what a store has kept. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '../../src/folder/store.ts'
import { aManifestFolder, keyText, namespaceText, open } from '../support/manifest-folder.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

const verify = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'verify', ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('an edit that the data folder stands against is named, and only with --data', async () => {
  const folder = aManifestFolder({ 'tree.yaml': namespaceText('acme'), 'key.yaml': keyText('one', { regenerate: 1 }) })
  const data = folder.path('.data')
  const store = openStore(data)
  if (!store.ok) throw new Error(store.problem)
  await open(folder, { forms: store.value.forms }).rescan()
  await store.value.close()
  folder.write('key.yaml', keyText('one'))
  expect(verify(folder.dir)).toEqual({ status: 0, stdout: 'no problems; 2 objects would be in force\n', stderr: '' })
  const { status, stdout, stderr } = verify(folder.dir, '--data', data)
  expect([status, stderr]).toEqual([1, ''])
  expect(stdout).toContain('key.yaml:4: spec.regenerate: Invalid value: 0: it can only be raised, and was 1')
  expect(verify(folder.dir, '--data', folder.path('nothing')).status).toBe(2)
})
