/** A folder and the data beside it, followed in this process, where a fault can be timed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type AcceptedChange, objectKey } from '../../src/folder/accepted.ts'
import { follow } from '../../src/folder/follow.ts'
import { openStore } from '../../src/folder/store.ts'
import { aManifestFolder, namespaceText, open } from '../support/manifest-folder.ts'
import { until } from '../support/until.ts'

test('what was accepted comes into force though the first judgement of it failed', async () => {
  const files = aManifestFolder({ 'early.yaml': namespaceText('early'), 'late.yaml': namespaceText('late') })
  const data = mkdtempSync(join(tmpdir(), 'keyward-follow-'))
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const store = openStore(data)
  if (!store.ok) throw new Error(store.problem)
  const changes: AcceptedChange[] = []
  await open(files, { forms: { all: () => [], apply: (more) => changes.push(...more) } }).rescan()
  const accept = (name: string) =>
    store.value.forms.apply(changes.filter(({ accepted }) => objectKey(accepted) === `AccessNamespace//${name}`))

  let faults = 0
  let inForce: readonly string[] = []
  const stop = new AbortController()
  const following = follow({
    manifests: files.dir,
    data,
    // asked in the middle of a judgement
    nowMs: () => {
      if (faults > 0 && faults-- > 0) throw new Error('a fault')
      return Date.now()
    },
    onReady: () => undefined,
    onChange: ({ accepted }) => {
      inForce = [...accepted.keys()]
    },
    onStore: () => undefined,
    onWaiting: () => undefined,
  })
  accept('early')
  const running = following.run(stop.signal)
  await until('the first is in force', () => following.index() !== undefined)
  expect(inForce).toEqual(['AccessNamespace//early'])
  accept('late')
  faults = 1
  await until('the second is in force', () => inForce.length === 2)
  expect(faults).toBe(0)
  stop.abort()
  await running
  await store.value.close()
})
