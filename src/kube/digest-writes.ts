/** Writes digest Secrets: each over the one that was read, and no key ID or digest to two keys. */
import type { Digest, KeyId } from '../core/credential.ts'
import type { Attested } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import type { Grant } from '../operator/world.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { isAbsent, isAlreadyExists, isConflict } from './api-error.ts'
import { create, get, remove, replace } from './calls.ts'
import type { KubeClient } from './client.ts'
import {
  type DigestRead,
  type DigestSecret,
  digestSecretName,
  type Granted,
  type HandingTo,
  keyIdOfName,
  writeDigestSecret,
} from './digest-secret.ts'
import { namesOf } from './kept-digests.ts'
import { claimantsOf } from './kept-people.ts'
import type { KeyCaches } from './key-caches.ts'
import { type KubeObject, SECRETS } from './objects.ts'
import { isLater } from './resource-version.ts'

export type Writing = {
  readonly next: KeySecret
  /** undefined: there must be none. */
  readonly over: { readonly object: DigestRead['object']; readonly value: DigestSecret } | undefined
  /** undefined: what was granted stays. */
  readonly grant: Grant | undefined
  /** Who claims the version that is stored with it, where that is a new one; the claimants of the others stay. */
  readonly claimant?: Attested | undefined
  readonly handingTo: HandingTo | undefined
}

export type DigestWritesParts = {
  readonly client: KubeClient
  readonly namespace: string
  readonly caches: KeyCaches
}

export const takenOver = (): Trouble => new Trouble('taken_over', 'retry')

export function makeDigestWrites({ client, namespace, caches }: DigestWritesParts) {
  /** Of writes on their way: two keys can't take the same at one time. */
  const reserved = new Map<KeyId | Digest, string>()

  const taken = (next: KeySecret): 'key_id_taken' | 'digest_taken' | undefined => {
    const holder = (name: KeyId | Digest) => reserved.get(name) ?? caches.digests.holderOf(name) ?? next.uid
    const another = namesOf(next).find((name) => holder(name) !== next.uid)
    if (another === undefined) return undefined
    return another === next.keyId ? 'key_id_taken' : 'digest_taken'
  }

  const versionOf = (name: string): string | undefined => {
    const keyId = keyIdOfName(name)
    return keyId && caches.digests.byKeyId(keyId)?.object.resourceVersion
  }

  /** What lies there by now is known at once, so that the next look is not behind. */
  const lookAgain = async (name: string): Promise<KubeObject | undefined> => {
    const known = versionOf(name)
    const object = await get(client, SECRETS, { namespace, name })
    if (object !== undefined) caches.noteDigest(object)
    // a live look is never older than what was known before it, unless etcd was put back and nobody has noticed
    if (object !== undefined && known !== undefined && isLater(known, object.metadata.resourceVersion))
      caches.relist().catch(() => {})
    return object
  }

  const send = async (object: KubeObject, isNew: boolean): Promise<KubeObject> =>
    isNew ? await create(client, SECRETS, { namespace, object }) : await replace(client, SECRETS, { object })

  /** Somebody else was quicker, or is another. */
  const lost = async ({ next, over }: Writing, error: unknown): Promise<unknown> => {
    const name = digestSecretName(next.keyId)
    if (isAbsent(error) && over !== undefined) caches.digestIsGone(name, over.object.uid)
    else if (!isConflict(error) && !isAlreadyExists(error)) return error
    const there = await lookAgain(name)
    const owner = there && caches.digests.byKeyId(next.keyId)?.apiKeyUid
    return isAlreadyExists(error) && there !== undefined && owner !== next.uid
      ? new Trouble('key_id_taken', 'retry')
      : takenOver()
  }

  return {
    lookAgain,

    write: async (writing: Writing): Promise<KubeObject> => {
      const { next, over, grant, claimant, handingTo } = writing
      const objection = taken(next)
      if (objection !== undefined) throw new Trouble(objection, 'retry')
      const granted = grant === undefined ? over?.value.granted : capped(grant)
      const claimants = claimantsOf(next, over?.value, claimant)
      const object = writeDigestSecret(
        { secret: next, granted, claimants, handingTo },
        { namespace, over: over?.object },
      )
      const names = namesOf(next).filter((name) => !reserved.has(name))
      for (const name of names) reserved.set(name, next.uid)
      try {
        const answer = await send(object as KubeObject, over === undefined)
        caches.noteDigest(answer)
        return answer
      } catch (error) {
        throw await lost(writing, error)
      } finally {
        for (const name of names) reserved.delete(name)
      }
    },

    /** That of this ApiKey, and only as it was when that was seen. */
    remove: async (uid: string, keyId: KeyId): Promise<void> => {
      const name = digestSecretName(keyId)
      await lookAgain(name)
      const found = caches.digests.byKeyId(keyId)
      if (found?.apiKeyUid !== uid) return
      const { object } = found
      try {
        await remove(client, SECRETS, {
          ref: { namespace, name },
          uid: object.uid,
          resourceVersion: object.resourceVersion,
        })
      } catch (error) {
        throw isConflict(error) ? takenOver() : error
      }
      caches.digestIsGone(name, object.uid)
    },
  }
}

/** On a cluster somebody always caps: without a cap nothing is granted. */
const capped = ({ generation, spec, cap }: Grant): Granted | undefined => cap && { generation, spec, cap }

export type DigestWrites = ReturnType<typeof makeDigestWrites>
