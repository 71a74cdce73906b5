/** Keys kept by standalone's store in a folder of their own; a kill is what is on the disk at that moment, and nothing else. */
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import type { KeyRef } from '../../src/core/key-ref.ts'
import type { Accepted } from '../../src/folder/accepted.ts'
import { makeKeyPort } from '../../src/folder/key-port.ts'
import { type NewKeys, openNewKeysFile } from '../../src/folder/new-keys.ts'
import { openStore, type Store } from '../../src/folder/store.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import type { Declared } from '../../src/operator/world.ts'
import type { ApiKey } from '../../src/resources/api-key.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import type { Line, PromptHome } from '../contract/key-port.contract.ts'
import { NEW_KEYS } from '../operator/make.ts'

export type StoreHome = PromptHome & {
  readonly store: () => Store
  readonly dir: () => string
  readonly newKeysFile: string
}

const nameOf = ({ namespace, name }: KeyRef): string => `${namespace}/${name}`

const must = <T>(parsed: { ok: true; value: T } | { ok: false; problem: string }): T => {
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

const acceptedOf = ({ uid, generation, apiKey }: Declared): Accepted => ({
  kind: 'ApiKey',
  namespace: apiKey.namespace,
  name: apiKey.name,
  uid,
  generation,
  manifest: { kind: 'ApiKey', name: apiKey.name },
  file: 'keys.yaml',
  line: 1,
  firstSeenMs: 1,
})

export function storeHome(): StoreHome {
  const root = mkdtempSync(join(tmpdir(), 'keyward-store-'))
  const newKeysFile = join(root, 'new-keys.jsonl')
  const declared = new Map<string, Declared>()
  const premature: string[] = []
  const stores: Store[] = []
  let receives: 'everything' | 'nothing' = 'everything'
  let generation = 1
  let dir = join(root, 'data-1')
  let store = must(openStore(dir))
  stores.push(store)

  const secretOf = (uid: string): KeySecret | undefined => {
    const kept = store.secrets.get(uid)
    return kept?.kind === 'read' ? kept.secret : undefined
  }

  const file = must(openNewKeysFile(newKeysFile))
  const watched: NewKeys = {
    deliver: (key) => {
      const { id, key: text } = key.plaintext.reveal()
      const parsed = parseCredential(text)
      const current = secretOf(declared.get(nameOf(key))?.uid ?? '')?.current
      if (key.mayDeliver() && (!parsed.ok || current?.digest !== digestOf(parsed.value))) premature.push(id)
      return file.deliver(key)
    },
  }

  const find = (ref: KeyRef): Declared | undefined => declared.get(nameOf(ref))
  const portNow = (): KeyPort =>
    makeKeyPort({ store, find, newKeys: receives === 'everything' ? watched : undefined, random: randomBytes })

  const filesIn = (folder: string): readonly string[] => readdirSync(folder).map((name) => join(folder, name))

  return {
    port: portNow,
    store: () => store,
    dir: () => dir,
    newKeysFile,
    find,
    secretOf,
    declare: (apiKey: ApiKey, uid) => {
      const next = { uid, generation: (declared.get(nameOf(apiKey))?.generation ?? 0) + 1, apiKey }
      declared.set(nameOf(apiKey), next)
      store.forms.apply([{ kind: 'put', accepted: acceptedOf(next) }])
    },
    withdraw: (ref) => {
      const gone = find(ref)
      if (gone === undefined) return
      declared.delete(nameOf(ref))
      store.forms.apply([{ kind: 'remove', accepted: acceptedOf(gone) }])
    },
    receive: (what) => {
      receives = what
    },
    recipient: () => NEW_KEYS,
    shows: { automatic: NEW_KEYS },
    lines: () =>
      readFileSync(newKeysFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line),
    premature: () => premature,
    bytes: () =>
      Buffer.concat(
        [1, 2, 3, 4, 5, 6, 7, 8, 9]
          .slice(0, generation)
          .flatMap((n) => filesIn(join(root, `data-${n}`)).map((path) => readFileSync(path))),
      ),
    kill: async () => {
      const next = join(root, `data-${generation + 1}`)
      cpSync(dir, next, { recursive: true })
      generation += 1
      dir = next
      store = must(openStore(dir))
      stores.push(store)
    },
    close: async () => {
      for (const one of stores) await one.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
