/** A folder of manifests on disk for one test, and short ways to write what is in it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type AcceptedForms, type FolderProblem, openFolder, type Snapshot } from '../../src/folder/manifests.ts'
import { fakeForms } from './fake-forms.ts'
import { NOON } from './make.ts'

export type TestFolder = {
  readonly dir: string
  readonly path: (file: string) => string
  readonly write: (file: string, ...documents: readonly string[]) => void
  /** As editors and `kubectl` do: another file, put in its place. */
  readonly replace: (file: string, ...documents: readonly string[]) => void
  readonly move: (from: string, to: string) => void
  readonly remove: (file: string) => void
}

/** Goes when the test is over. */
export function aManifestFolder(files: Readonly<Record<string, string | readonly string[]>> = {}): TestFolder {
  const dir = mkdtempSync(join(tmpdir(), 'keyward-folder-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const path = (file: string) => join(dir, file)
  const write: TestFolder['write'] = (file, ...documents) => {
    mkdirSync(dirname(path(file)), { recursive: true })
    writeFileSync(path(file), documents.join('---\n'))
  }
  const folder: TestFolder = {
    dir,
    path,
    write,
    replace: (file, ...documents) => {
      write(`.${file}.new`, ...documents)
      renameSync(path(`.${file}.new`), path(file))
    },
    move: (from, to) => {
      mkdirSync(dirname(path(to)), { recursive: true })
      renameSync(path(from), path(to))
    },
    remove: (file) => rmSync(path(file), { recursive: true }),
  }
  for (const [file, text] of Object.entries(files)) write(file, ...(typeof text === 'string' ? [text] : text))
  return folder
}

/** Opens the folder as a process that starts does; uids are uid-1, uid-2 and so on. */
export function open({ dir }: TestFolder, wanted: { forms?: AcceptedForms; nowMs?: () => number } = {}) {
  let uids = 0
  return openFolder({
    dir,
    forms: wanted.forms ?? fakeForms(),
    nowMs: wanted.nowMs ?? (() => NOON),
    newUid: () => `uid-${++uids}`,
  })
}

/** `keys.yaml:9 spec.permissions[0] ApiKey default/main: …`: one problem as a line. */
export const lineOf = ({ file, line, field, object, message }: FolderProblem): string =>
  `${file}:${line} ${field} ${object}: ${message}`

/** Where the problems are, without their words. */
export const places = ({ problems }: Snapshot): readonly string[] =>
  problems.map(({ file, line, field }) => `${file}:${line} ${field}`)

export const inForce = ({ accepted }: Snapshot): readonly string[] => [...accepted.keys()].sort()

/** The spec of an accepted object, as it was written. */
export function specOf({ accepted }: Snapshot, key: string): Record<string, unknown> {
  const manifest = accepted.get(key)?.manifest as { spec: Record<string, unknown> } | undefined
  if (manifest === undefined) throw new Error(`${key} is not in force`)
  return manifest.spec
}

export type Fields = Readonly<Record<string, unknown>>

const manifest = (kind: string, metadata: Fields, spec: Fields): string =>
  [
    'apiVersion: keyward.dev/v1alpha1',
    `kind: ${kind}`,
    `metadata: ${JSON.stringify(metadata)}`,
    'spec:',
    ...Object.entries(spec).map(([field, value]) => `  ${field}: ${JSON.stringify(value)}`),
    '',
  ].join('\n')

/** An ApiKey of the Kubernetes namespace `default`; its spec begins at the fifth line, one line per field. */
export const keyText = (name: string, spec: Fields = {}): string =>
  manifest(
    'ApiKey',
    { name },
    { accessNamespace: 'acme', environment: 'production', permissions: ['license:manage'], ...spec },
  )

/** An AccessNamespace; its spec begins at the fifth line, one line per field. */
export const namespaceText = (name: string, spec: Fields = { type: 'organization' }): string =>
  manifest('AccessNamespace', { name }, spec)

/** A ProtectedApi for `GET /v1/things`; its spec begins at the fifth line, one line per field. */
export const apiText = (name: string, hosts: readonly string[], spec: Fields = {}): string =>
  manifest(
    'ProtectedApi',
    { name },
    {
      environments: [{ name: 'production', hosts }],
      routes: [{ methods: ['GET'], path: '/v1/things', permission: 'license:manage' }],
      ...spec,
    },
  )
