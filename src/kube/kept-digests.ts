/** All digest Secrets that are known, found by ApiKey, by key ID and by digest. */
import type { Digest, KeyId } from '../core/credential.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { type DigestRead, digestSecretName } from './digest-secret.ts'

export type KeptDigests = {
  /** To be told of every change. */
  readonly changed: (now: DigestRead | undefined, before: DigestRead | undefined) => void
  /** Those whose label says this uid, oldest first: one, unless somebody made copies. */
  readonly of: (uid: string) => readonly DigestRead[]
  /** Those that say that their ApiKey is this `namespace/name`. */
  readonly named: (name: string) => readonly DigestRead[]
  readonly byKeyId: (keyId: KeyId) => DigestRead | undefined
  /** The uid of the ApiKey that has it; the first, where it is several. */
  readonly holderOf: (what: KeyId | Digest) => string | undefined
  readonly all: () => Iterable<DigestRead>
}

export const namesOf = ({ keyId, current, previous }: KeySecret): readonly (KeyId | Digest)[] => [
  keyId,
  ...(current === undefined ? [] : [current.digest]),
  ...(previous === undefined ? [] : [previous.digest]),
]

export function keepDigests(): KeptDigests {
  const bySecret = new Map<string, DigestRead>()
  const byUid = new Map<string, Set<string>>()
  const byName = new Map<string, Set<string>>()
  const byHeld = new Map<string, Set<string>>()

  const index = (map: Map<string, Set<string>>, value: string | undefined, secret: string): void => {
    if (value === undefined) return
    const secrets = map.get(value)
    if (secrets === undefined) map.set(value, new Set([secret]))
    else secrets.add(secret)
  }
  const unindex = (map: Map<string, Set<string>>, value: string | undefined, secret: string): void => {
    if (value === undefined) return
    const secrets = map.get(value)
    secrets?.delete(secret)
    if (secrets?.size === 0) map.delete(value)
  }
  const found = (secrets: Iterable<string> | undefined): readonly DigestRead[] =>
    [...(secrets ?? [])].flatMap((secret) => bySecret.get(secret) ?? []).sort(olderFirst)

  const take = (read: DigestRead, turn: typeof index): void => {
    const { name } = read.object
    turn(byUid, read.apiKeyUid, name)
    turn(byName, read.apiKeyName, name)
    for (const held of read.read.ok ? namesOf(read.read.value.secret) : []) turn(byHeld, held, name)
  }

  return {
    changed: (now, before) => {
      if (before !== undefined) {
        take(before, unindex)
        bySecret.delete(before.object.name)
      }
      if (now === undefined) return
      bySecret.set(now.object.name, now)
      take(now, index)
    },
    of: (uid) => found(byUid.get(uid)),
    named: (name) => found(byName.get(name)),
    byKeyId: (keyId) => bySecret.get(digestSecretName(keyId)),
    holderOf: (what) => found(byHeld.get(what))[0]?.apiKeyUid,
    all: () => bySecret.values(),
  }
}

/** Who came first goes on; within one second the name decides. */
const olderFirst = (a: DigestRead, b: DigestRead): number =>
  Date.parse(a.createdAt) - Date.parse(b.createdAt) || (a.object.name < b.object.name ? -1 : 1)
