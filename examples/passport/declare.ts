/** What the upstream creates, declared as AccessNamespaces: files in the folder that Keyward watches. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Created = {
  readonly id: string
  readonly type: 'workspace' | 'userGroup'
  /** The name of an AccessNamespace. */
  readonly parent: string
  readonly displayName: string
}

export type Declarations = {
  readonly add: (created: Created) => void
  readonly remove: (id: string) => void
}

export function declarations(manifests: string): Declarations {
  const folder = join(manifests, 'created')
  // what an earlier run created went with its memory
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const fileOf = (id: string) => join(folder, `${id}.json`)
  return {
    add: ({ id, type, parent, displayName }) => {
      const manifest = {
        apiVersion: 'keyward.dev/v1alpha1',
        kind: 'AccessNamespace',
        metadata: { name: id },
        spec: { type, parent, displayName },
      }
      // Keyward does not read names that begin with a dot; the rename makes it one edit
      const draft = join(folder, `.${id}.json`)
      writeFileSync(draft, JSON.stringify(manifest))
      renameSync(draft, fileOf(id))
    },
    remove: (id) => rmSync(fileOf(id), { force: true }),
  }
}
