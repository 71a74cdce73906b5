/** What is in force in a folder, and one of its keys, looked at from outside: beside a running standalone or without one. */

import type { Index } from '../core/decide.ts'
import type { KeyRecord } from '../core/record.ts'
import { makeKeyIndex } from '../enforce/key-index.ts'
import { echo } from '../resources/echo.ts'
import { recordBehind } from '../resources/explained-key.ts'
import { makeInForce } from './in-force.ts'
import { type AcceptedForms, FolderUnreadable, NO_FORMS, openFolder } from './manifests.ts'
import { readForms, readSecrets } from './store.ts'

export type Looked = { readonly index: Index; readonly record: KeyRecord | undefined }

export type LookParts = {
  readonly manifests: string
  /** undefined: only what the manifests say. */
  readonly data: string | undefined
  /** `namespace/name`, or a key ID, which only the data folder knows. */
  readonly key: string | undefined
  readonly nowMs: number
}

/** @returns a sentence where it can not be looked */
export async function look({ manifests, data, key, nowMs }: LookParts): Promise<Looked | string> {
  const accepted = data === undefined ? [] : formsIn(data)
  if (accepted === undefined) return `there is no data of standalone in ${data}, or it can't be read`
  const forms: AcceptedForms = { ...NO_FORMS, all: () => accepted }
  let uids = 0
  const folder = openFolder({ dir: manifests, forms, nowMs: () => nowMs, newUid: () => `uid-${uids++}` })
  const snapshot = await folder.rescan().catch(unreadable)
  if (typeof snapshot === 'string') return snapshot
  const inForce = makeInForce(makeKeyIndex())
  inForce.update(snapshot)
  const index = inForce.index()
  if (index === undefined) return 'nothing is in force'
  if (key === undefined) return { index, record: undefined }
  const name = key.startsWith('kw_') ? nameOfKeyId(data, key) : key
  if (name === undefined) {
    return data === undefined
      ? 'a key ID is known to the data folder only: give --data'
      : `${echo(key)} is not in ${data}`
  }
  const found = snapshot.accepted.get(`ApiKey/${name}`)?.parsed
  return found?.kind === 'ApiKey' ? { index, record: recordBehind(found) } : `there is no ApiKey ${echo(name)} in force`
}

function formsIn(data: string): ReturnType<typeof readForms> {
  try {
    return readForms(data)
  } catch {
    return undefined
  }
}

function unreadable(error: unknown): string {
  if (error instanceof FolderUnreadable) return error.message
  throw error
}

const nameOfKeyId = (data: string | undefined, keyId: string): string | undefined =>
  data === undefined ? undefined : readSecrets(data)?.find((stored) => stored.keyId === keyId)?.name
