/** The digests of all keys, read once and kept in memory; every change goes to the disk first. Fences and uniqueness live here. */
import type { Digest, KeyId } from '../core/credential.ts'
import { Trouble } from '../core/trouble.ts'
import type { KeySecret } from '../resources/key-secret.ts'

/** What is kept for one uid. */
export type Kept =
  | { readonly kind: 'read'; readonly secret: KeySecret; readonly revision: string; readonly tombstoned: boolean }
  | { readonly kind: 'unreadable'; readonly problem: string }

export type KeptSecrets = {
  readonly get: (uid: string) => Kept | undefined
  /** Everything that is kept for ApiKeys of this `namespace/name`, whatever their uid. */
  readonly named: (name: string) => readonly { readonly uid: string; readonly keyId: KeyId }[]
  readonly names: () => Iterable<string>
  readonly holderOf: (what: KeyId | Digest) => string | undefined
  readonly isRetired: (keyId: KeyId) => boolean
  /** Refused with `taken_over` if `over` is not what is kept now. */
  readonly write: (next: KeySecret, over: string | undefined) => Promise<string>
  readonly openAttempt: (uid: string, over: string | undefined) => KeptAttempt
  readonly tombstone: (keyId: KeyId, uid: string) => Promise<void>
  readonly remove: (uid: string) => Promise<void>
}

export type KeptAttempt = {
  readonly write: (next: KeySecret) => Promise<string>
  /** Whether nothing was written and no attempt opened since. */
  readonly holds: () => boolean
}

export type StoredSecret = {
  readonly uid: string
  readonly keyId: KeyId
  readonly name: string
  readonly secret: { readonly ok: true; readonly value: KeySecret } | { readonly ok: false; readonly problem: string }
}

export type KeptParts = {
  readonly stored: Iterable<StoredSecret>
  readonly retired: Iterable<KeyId>
  /** Durable when it resolves. */
  readonly save: (secret: KeySecret) => Promise<void>
  readonly saveTombstone: (keyId: KeyId, uid: string) => Promise<void>
  readonly erase: (uid: string) => Promise<void>
}

type Slot = {
  readonly name: string
  readonly keyId: KeyId | undefined
  readonly secret: KeySecret | undefined
  readonly problem: string | undefined
  /** A write is on its way to the disk; nobody else may write meanwhile. */
  readonly writing: boolean
}

const takenOver = () => new Trouble('taken_over', 'retry')

const namesOf = ({ keyId, current, previous }: KeySecret): readonly (KeyId | Digest)[] => [
  keyId,
  ...(current === undefined ? [] : [current.digest]),
  ...(previous === undefined ? [] : [previous.digest]),
]

export function keepSecrets({ stored, retired, save, saveTombstone, erase }: KeptParts): KeptSecrets {
  const slots = new Map<string, Slot>()
  const byName = new Map<string, Set<string>>()
  const holders = new Map<KeyId | Digest, string>()
  const tombstones = new Set<KeyId>(retired)
  // of every uid that was written or attempted; an attempt outlives no process, and nobody else has the file
  const revisions = new Map<string, number>()
  let latest = 0

  const nextRevision = (uid: string): number => {
    revisions.set(uid, ++latest)
    return latest
  }

  const put = (uid: string, slot: Slot): void => {
    slots.set(uid, slot)
    const uids = byName.get(slot.name)
    if (uids === undefined) byName.set(slot.name, new Set([uid]))
    else uids.add(uid)
  }

  const forget = (uid: string): void => {
    const slot = slots.get(uid)
    if (slot === undefined) return
    slots.delete(uid)
    revisions.delete(uid)
    const uids = byName.get(slot.name)
    uids?.delete(uid)
    if (uids?.size === 0) byName.delete(slot.name)
    release(uid, slot.secret, undefined)
  }

  /** Frees what a key held and holds no longer. */
  const release = (uid: string, before: KeySecret | undefined, after: KeySecret | undefined): void => {
    const kept = after === undefined ? [] : namesOf(after)
    for (const name of before === undefined ? [] : namesOf(before)) {
      if (!kept.includes(name) && holders.get(name) === uid) holders.delete(name)
    }
  }

  const taken = (secret: KeySecret): 'key_id_taken' | 'digest_taken' | undefined => {
    const another = namesOf(secret).find((name) => (holders.get(name) ?? secret.uid) !== secret.uid)
    if (another === undefined) return undefined
    return another === secret.keyId ? 'key_id_taken' : 'digest_taken'
  }

  const load = ({ uid, keyId, name, secret }: StoredSecret): void => {
    const slot = { name, keyId, writing: false }
    nextRevision(uid)
    // a file that somebody else wrote into: the first goes on
    const problem = secret.ok ? taken(secret.value) && 'it is held by another key' : secret.problem
    const mine = secret.ok && problem === undefined ? secret.value : undefined
    for (const held of mine === undefined ? [] : namesOf(mine)) holders.set(held, uid)
    put(uid, { ...slot, secret: mine, problem })
  }

  const isAt = (uid: string, revision: number | undefined): boolean => {
    const slot = slots.get(uid)
    if (slot?.writing || slot?.problem !== undefined) return false
    return revision === undefined ? slot?.secret === undefined : revisions.get(uid) === revision
  }

  const write = async (next: KeySecret, revision: number | undefined): Promise<number> => {
    const { uid, name, keyId } = next
    if (!isAt(uid, revision)) throw takenOver()
    const objection = taken(next)
    if (objection !== undefined) throw new Trouble(objection, 'retry')
    const before = slots.get(uid)?.secret
    const slot = { name, keyId, problem: undefined }
    // held from here on, so that two keys on their way to the disk can't take the same
    for (const held of namesOf(next)) holders.set(held, uid)
    put(uid, { ...slot, secret: before, writing: true })
    try {
      await save(next)
    } catch (error) {
      release(uid, next, before)
      put(uid, { ...slot, secret: before, writing: false })
      throw error
    }
    release(uid, before, next)
    put(uid, { ...slot, secret: next, writing: false })
    // not before: who looks while this is on its way sees what was, and must not write over what comes
    return nextRevision(uid)
  }

  for (const one of stored) load(one)

  return {
    get: (uid) => {
      const slot = slots.get(uid)
      if (slot?.problem !== undefined) return { kind: 'unreadable', problem: slot.problem }
      if (slot?.secret === undefined) return undefined
      const { secret } = slot
      return { kind: 'read', secret, revision: String(revisions.get(uid)), tombstoned: tombstones.has(secret.keyId) }
    },
    named: (name) =>
      [...(byName.get(name) ?? [])].flatMap((uid) => {
        const keyId = slots.get(uid)?.keyId
        return keyId === undefined ? [] : [{ uid, keyId }]
      }),
    names: () => byName.keys(),
    holderOf: (what) => holders.get(what),
    isRetired: (keyId) => tombstones.has(keyId),
    write: async (next, over) => String(await write(next, over === undefined ? undefined : Number(over))),
    openAttempt: (uid, over) => {
      if (!isAt(uid, over === undefined ? undefined : Number(over))) throw takenOver()
      let revision = nextRevision(uid)
      return {
        write: async (next) => {
          revision = await write(next, revision)
          return String(revision)
        },
        holds: () => isAt(uid, revision),
      }
    },
    tombstone: async (keyId, uid) => {
      await saveTombstone(keyId, uid)
      tombstones.add(keyId)
    },
    remove: async (uid) => {
      await erase(uid)
      forget(uid)
    },
  }
}
