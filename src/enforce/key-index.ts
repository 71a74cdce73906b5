/** Digest to record, kept up to date key by key; a lookup never waits and never sees half a change. */
import type { Digest } from '../core/credential.ts'
import type { Entry, KeyRecord } from '../core/record.ts'

/** The digests in force of one key. */
export type Digests = {
  readonly current: Digest | undefined
  readonly previous: { readonly digest: Digest; readonly validUntil: number } | undefined
}

export type KeyIndex = {
  /** Replaces all that is known of a key. */
  readonly put: (uid: string, record: KeyRecord, digests: Digests) => void
  readonly remove: (uid: string) => void
  readonly find: (digest: Digest) => Entry | undefined
  readonly size: () => number
}

type Held = Entry & { readonly uid: string }

/** Both are kept flat: a hundred thousand keys are meant to fit into a few dozen mebibytes. */
type Known = { readonly record: KeyRecord; readonly current: Digest | undefined; readonly previous: Digest | undefined }

export function makeKeyIndex(): KeyIndex {
  const byDigest = new Map<Digest, Held>()
  const byUid = new Map<string, Known>()

  const forget = (uid: string, digest: Digest | undefined): void => {
    if (digest !== undefined && byDigest.get(digest)?.uid === uid) byDigest.delete(digest)
  }

  // a digest that another key holds stays with it: the first goes on
  const hold = (digest: Digest, held: Held): void => {
    const holder = byDigest.get(digest)
    if (holder === undefined || holder.uid === held.uid) byDigest.set(digest, held)
  }

  return {
    put: (uid, record, { current, previous }) => {
      const known = byUid.get(uid)
      if (known?.current !== current) forget(uid, known?.current)
      if (known?.previous !== previous?.digest) forget(uid, known?.previous)
      if (previous !== undefined) hold(previous.digest, { uid, record, validUntil: previous.validUntil })
      if (current !== undefined) hold(current, { uid, record, validUntil: undefined })
      byUid.set(uid, { record, current, previous: previous?.digest })
    },
    remove: (uid) => {
      const known = byUid.get(uid)
      forget(uid, known?.current)
      forget(uid, known?.previous)
      byUid.delete(uid)
    },
    find: (digest) => byDigest.get(digest),
    size: () => byUid.size,
  }
}
