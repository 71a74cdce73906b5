/** PURE: which digest Secret belongs to the uid of an ApiKey: where several say so, the oldest goes on. */
import type { KeptKey } from './kept-key.ts'

export type ByUid = {
  readonly put: (kept: KeptKey) => void
  readonly remove: (kept: KeptKey) => void
  readonly get: (uid: string) => KeptKey | undefined
  /** What is found under this uid is found by this very text from now on: the other one, of the Secret, is let go of. */
  readonly hold: (uid: string) => void
}

export function makeByUid(): ByUid {
  const first = new Map<string, KeptKey>()
  /** All of them, of a uid that has more than one. */
  const rivals = new Map<string, readonly KeptKey[]>()

  const allOf = (uid: string): readonly KeptKey[] => {
    const one = first.get(uid)
    return rivals.get(uid) ?? (one === undefined ? [] : [one])
  }

  const set = (uid: string, all: readonly KeptKey[]): void => {
    const [oldest] = all
    if (oldest === undefined) first.delete(uid)
    else first.set(uid, oldest)
    if (all.length > 1) rivals.set(uid, all)
    else rivals.delete(uid)
  }

  // a Secret is named after its key ID
  const others = ({ uid, keyId }: KeptKey): readonly KeptKey[] => allOf(uid).filter((one) => one.keyId !== keyId)

  return {
    put: (kept) => set(kept.uid, [...others(kept), kept].sort(byAge)),
    remove: (kept) => set(kept.uid, others(kept)),
    get: (uid) => first.get(uid),
    hold: (uid) => {
      const one = first.get(uid)
      // a Map keeps the key that it had
      if (one !== undefined && first.delete(uid)) first.set(uid, one)
    },
  }
}

const byAge = (a: KeptKey, b: KeptKey): number => a.createdAt - b.createdAt || (a.keyId < b.keyId ? -1 : 1)
