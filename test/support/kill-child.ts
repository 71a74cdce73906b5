/** A process that mints, regenerates, deletes and makes again without end, until somebody kills it. Arguments: data folder, new-keys file. */

import type { Accepted } from '../../src/folder/accepted.ts'
import { makeKeyPort } from '../../src/folder/key-port.ts'
import { openNewKeysFile } from '../../src/folder/new-keys.ts'
import { openStore } from '../../src/folder/store.ts'
import { openKeyring } from '../../src/operator/keyring.ts'
import { nowMs, random, uuid } from '../../src/runtime/system.ts'
import { anApiKey, HOUR } from '../operator/make.ts'

type Kept = { readonly regenerate: number; readonly overlapMs: number }

export const apiKeyOf = ({ name, manifest }: Pick<Accepted, 'name' | 'manifest'>) =>
  anApiKey({ ...(manifest as Kept) }, name)

const KEYS = 12

/** Everything of a process on a data folder, as standalone wires it. */
export function openAll(dir: string, newKeysFile: string) {
  const store = openStore(dir)
  const newKeys = openNewKeysFile(newKeysFile)
  if (!store.ok) throw new Error(store.problem)
  if (!newKeys.ok) throw new Error(newKeys.problem)
  const accepted = new Map(store.value.forms.all().map((form) => [form.name, form]))
  const find = ({ name }: { name: string }) => {
    const form = accepted.get(name)
    return form && { uid: form.uid, generation: form.generation, apiKey: apiKeyOf(form) }
  }
  const secretOf = (uid: string) => {
    const kept = store.value.secrets.get(uid)
    return kept?.kind === 'read' ? kept.secret : undefined
  }
  const keyring = openKeyring({
    port: makeKeyPort({ store: store.value, find, newKeys: newKeys.value, random }),
    find,
    all: () => accepted.values(),
    secretOf,
    keptNames: store.value.secrets.names,
    nowMs,
    random,
    onChange: () => {},
    onTrouble: (_ref, error) => {
      throw error
    },
    jitter: () => 0,
  })
  return { store: store.value, accepted, keyring, secretOf }
}

async function churn(dir: string, newKeysFile: string): Promise<never> {
  const { store, accepted, keyring } = openAll(dir, newKeysFile)
  keyring.load()

  const put = (name: string, uid: string, generation: number, manifest: Kept): void => {
    const form = {
      kind: 'ApiKey',
      namespace: 'default',
      name,
      uid,
      generation,
      manifest,
      file: 'a.yaml',
      line: 1,
      firstSeenMs: 1,
    }
    store.forms.apply([{ kind: 'put', accepted: form }])
    accepted.set(name, form)
    keyring.reconcile(form)
  }

  const turn = (dice: number): void => {
    const name = `key-${dice % KEYS}`
    const known = accepted.get(name)
    if (known === undefined) {
      put(name, uuid(), 1, { regenerate: 0, overlapMs: 0 })
      return
    }
    if (dice % 11 === 0) {
      store.forms.apply([{ kind: 'remove', accepted: known }])
      accepted.delete(name)
      keyring.reconcile(known)
      return
    }
    const regenerate = (known.manifest as Kept).regenerate + 1
    put(name, known.uid, known.generation + 1, { regenerate, overlapMs: dice % 2 === 0 ? 0 : HOUR })
  }

  process.stdout.write('begun\n')
  for (;;) {
    for (const byte of random(6)) turn(byte)
    await keyring.idle()
  }
}

const [, script, dir, newKeysFile] = process.argv
if (script === import.meta.filename && dir !== undefined && newKeysFile !== undefined) await churn(dir, newKeysFile)
