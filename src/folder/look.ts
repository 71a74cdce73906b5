/** What is in force in a folder, and one of its keys, looked at from outside: beside a running standalone or without one. */

import { composeKeyId, RANDOM_BYTES } from '../core/credential.ts'
import type { Index } from '../core/decide.ts'
import type { KeyRecord } from '../core/record.ts'
import { makeKeyIndex } from '../enforce/key-index.ts'
import type { ApiKey } from '../resources/api-key.ts'
import { echo } from '../resources/echo.ts'
import { recordOf } from '../resources/key-record.ts'
import { makeInForce } from './in-force.ts'
import { type AcceptedForms, FolderUnreadable, NO_FORMS, openFolder } from './manifests.ts'
import { readForms, readSecrets } from './store.ts'

/** More than a key ID: somebody pasted what must not be repeated. */
const SECRET_TOO = /kw_[a-z]+_[0-9A-Za-z]+_/

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
  if (SECRET_TOO.test(key))
    return 'name the key by its ID (kw_<env>_<id>) or as namespace/name, never by the key itself'
  const name = key.startsWith('kw_') ? nameOfKeyId(data, key) : key
  if (name === undefined) {
    return data === undefined
      ? 'a key ID is known to the data folder only: give --data'
      : `${echo(key)} is not in ${data}`
  }
  const found = snapshot.accepted.get(`ApiKey/${name}`)?.parsed
  return found?.kind === 'ApiKey'
    ? { index, record: recordWithout(found) }
    : `there is no ApiKey ${echo(name)} in force`
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

/** An explanation starts behind the credential: which key ID and digest it has makes no difference. */
function recordWithout(apiKey: ApiKey): KeyRecord {
  const { namespace, name, spec } = apiKey
  const secret = {
    keyId: composeKeyId(spec.environment, new Uint8Array(RANDOM_BYTES)),
    uid: 'explained',
    name: `${namespace}/${name}`,
    origin: 'minted',
    rotations: 0,
    current: undefined,
    previous: undefined,
  } as const
  return recordOf(apiKey, secret).record
}
