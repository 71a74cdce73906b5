/** Key IDs that were revoked or deleted: kept for ever in ConfigMaps of Keyward's own, so that none is imported again. */
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

/**
 * So many that every write of one stays small. Key IDs of imports are chosen by those who declare them, so nothing keeps many from
 * coming to one bucket: it goes on in a next ConfigMap.
 */
export const MOST_IN_ONE = 4000

/** 256 buckets, of one ConfigMap each as long as that has room. */
const bucketOf = (keyId: KeyId): string => `keyward-tombstones-${hash('sha256', keyId, 'hex').slice(0, 2)}`

const NAME = /^(keyward-tombstones-[0-9a-f]{2})(-[1-9][0-9]*)?$/

/** The uids of the ApiKeys by their key IDs. */
export type Tombstones = Readonly<Record<string, unknown>>

export const readTombstones = ({ data }: KubeObject): Tombstones => (isObject(data) ? data : {})

export type KeptTombstones = {
  /** @param name of the ConfigMap; now undefined: it is gone */
  readonly changed: (name: string, now: Tombstones | undefined) => void
  readonly isRetired: (keyId: KeyId) => boolean
  /** The name of the ConfigMap that has it, or else is to have it. */
  readonly nameFor: (keyId: KeyId) => string
}

export function keepTombstones(): KeptTombstones {
  const buckets = new Map<string, Map<string, Tombstones>>()
  const holderOf = (keyId: KeyId): string | undefined => {
    for (const [name, page] of buckets.get(bucketOf(keyId)) ?? []) if (Object.hasOwn(page, keyId)) return name
    return undefined
  }
  return {
    changed: (name, now) => {
      const bucket = NAME.exec(name)?.[1]
      if (bucket === undefined) return
      const pages = buckets.get(bucket) ?? new Map<string, Tombstones>()
      buckets.set(bucket, pages)
      if (now === undefined) pages.delete(name)
      else pages.set(name, now)
    },
    isRetired: (keyId) => holderOf(keyId) !== undefined,
    nameFor: (keyId) => {
      const bucket = bucketOf(keyId)
      const hasRoom = (name: string) => Object.keys(buckets.get(bucket)?.get(name) ?? {}).length < MOST_IN_ONE
      const holder = holderOf(keyId)
      if (holder !== undefined) return holder
      let name = bucket
      for (let i = 1; !hasRoom(name); i++) name = `${bucket}-${i}`
      return name
    },
  }
}

/** May be repeated; needs no look before. @param name of the ConfigMap, see nameFor */
export async function addTombstone(
  client: KubeClient,
  namespace: string,
  { name, keyId, uid }: { readonly name: string; readonly keyId: KeyId; readonly uid: string },
): Promise<KubeObject> {
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
