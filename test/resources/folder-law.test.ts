/** Laws that hold after any sequence of edits: a restart changes nothing, and nothing goes unless it can be seen to be gone. */
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Snapshot } from '../../src/folder/manifests.ts'
import { fakeForms } from '../support/fake-forms.ts'
import { aManifestFolder, apiText, keyText, lineOf, namespaceText, open } from '../support/manifest-folder.ts'

const FILES = ['a.yaml', 'b.yaml', 'sub/c.yaml']

const DOCUMENTS = [
  namespaceText('acme'),
  namespaceText('globex', { type: 'organization', externalId: 'acme' }),
  namespaceText('web', { type: 'application', parent: 'acme' }),
  namespaceText('web', { type: 'application', parent: 'globex' }),
  keyText('main'),
  keyText('main', { environment: 'staging' }),
  keyText('main', { state: 'Suspended' }),
  keyText('main', { state: 'Revoked' }),
  keyText('main', { permissions: ['Nope'] }),
  keyText('other', { accessNamespace: 'web' }),
  keyText('Main Website'),
  apiText('one', ['api.example.com']),
  apiText('two', ['api.example.com', 'two.example.com']),
  apiText('two', ['two.example.com']),
  'kind: [\n',
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: main}\n',
]

const edit = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      file: fc.constantFrom(...FILES),
      documents: fc.array(fc.constantFrom(...DOCUMENTS), { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), file: fc.constantFrom(...FILES) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      file: fc.constantFrom(...FILES),
      to: fc.constantFrom(...FILES),
    }),
  },
)

/** All that a restart must bring back; a line is known only while its document can be seen, and keys have no order. */
const essence = (snapshot: Snapshot) => ({
  inForce: [...snapshot.accepted.values()]
    .map(({ parsed: _parsed, line: _line, ...form }) => form)
    .sort(
      (a, b) =>
        Number(a.kind === 'ApiKey') - Number(b.kind === 'ApiKey') ||
        (a.kind === 'ApiKey' ? (a.name < b.name ? -1 : 1) : 0),
    ),
  problems: snapshot.problems.map(lineOf),
})

test('after any edits a restart finds the same in force and the same wrong as the process that saw them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 8 }), async (edits) => {
      const forms = fakeForms()
      const files = aManifestFolder()
      let now = 1
      const folder = open(files, { forms, nowMs: () => now })
      await folder.rescan()
      for (const step of edits) {
        now += 1
        if (step.kind === 'write') files.write(step.file, ...step.documents)
        else if (!existsSync(files.path(step.file))) continue
        else if (step.kind === 'move') files.move(step.file, step.to)
        else files.remove(step.file)
        const live = await folder.rescan()
        const again = await open(files, { forms, nowMs: () => now }).rescan()
        expect(essence(again)).toEqual(essence(live))
        expect(again.changed).toEqual([])
        for (const { kind, accepted } of live.changed) {
          if (kind === 'put' || !existsSync(files.path(accepted.file))) continue
          // what was removed was removed from a file all of which could be read
          expect(readFileSync(files.path(accepted.file), 'utf8')).not.toMatch(/kind: \[|Main Website/)
        }
      }
    }),
    { numRuns: 40, seed: 20261122 },
  )
})
