/** Key IDs that were revoked or deleted: kept for ever in a few ConfigMaps of Keyward's own, so that none is imported again. */
import { hash } from 'node:crypto'
import type { KeyId } from '../core/credential.ts'
import { isObject } from '../resources/problem.ts'
import { isAlreadyExists, isNotFound } from './api-error.ts'
import { create, mergePatch } from './calls.ts'
import type { KubeClient } from './client.ts'
import { MANAGED_BY } from './digest-secret.ts'
import { CONFIG_MAPS, type KubeObject } from './objects.ts'

const KIND = 'keyward.dev/kind'
export const TOMBSTONES_SELECTOR = `${KIND}=tombstones`

/** 256 of them, so that none grows out of what an object may hold. */
export const tombstonesName = (keyId: KeyId): string => `keyward-tombstones-${hash('sha256', keyId, 'hex').slice(0, 2)}`

/** The uids of the ApiKeys by their key IDs. */
export const readTombstones = ({ data }: KubeObject): Readonly<Record<string, unknown>> => (isObject(data) ? data : {})

/** May be repeated; needs no look before. */
export async function addTombstone(
  client: KubeClient,
  namespace: string,
  { keyId, uid }: { readonly keyId: KeyId; readonly uid: string },
): Promise<KubeObject> {
  const name = tombstonesName(keyId)
  const data = { [keyId]: uid }
  const patch = () => mergePatch(client, CONFIG_MAPS, { ref: { namespace, name }, patch: { data } })
  try {
    return await patch()
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  try {
    const metadata = { name, namespace, labels: { ...MANAGED_BY, [KIND]: 'tombstones' } }
    return await create(client, CONFIG_MAPS, { namespace, object: { metadata, data } })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return await patch()
  }
}
