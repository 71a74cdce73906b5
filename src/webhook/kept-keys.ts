/** The keys of stamps as this replica knows them: looked at now and then, and at once where a stamp is by none of them. */
import { Trouble } from '../core/trouble.ts'
import { type SecretPort, type StampKeyParts, sharedStampKeys, stampKeysAfter } from './certificate-secret.ts'
import type { StampKeys } from './stamp.ts'

export type KeptKeysParts = StampKeyParts & {
  readonly secret: SecretPort
  /** Whether this replica writes them again where they were taken away. */
  readonly mayWrite: () => boolean
  readonly steadyMs: () => number
  /** Stamps count by other keys than before. */
  readonly onKeys: () => void
}

export type KeptKeys = {
  /** Throws before they are known. */
  readonly keys: () => StampKeys
  /** Reads them, or makes them where there are none. */
  readonly begin: () => Promise<void>
  /** Those before go on where it rejects. */
  readonly look: () => Promise<void>
  /** A look out of turn: another replica may have read a key that this one has not. Soon after another one nothing is looked at. */
  readonly lookForNewer: () => Promise<void>
}

/** Whoever sends strange stamps costs the API server no more than this. */
const BETWEEN_MS = 1000

export function keepKeys(parts: KeptKeysParts): KeptKeys {
  const { secret, mayWrite, steadyMs, onKeys } = parts
  let keys: StampKeys | undefined
  let looking: Promise<void> | undefined
  let searched: { readonly atMs: number; readonly done: Promise<void> } | undefined

  const lookOnce = async (before: StampKeys): Promise<void> => {
    const now = await stampKeysAfter(before, secret, mayWrite)
    keys = now
    if (!isSame(before, now)) onKeys()
  }

  // one at a time, so that nothing older is ever put over what is newer
  const look = async (): Promise<void> => {
    if (keys === undefined) return
    looking ??= lookOnce(keys).finally(() => {
      looking = undefined
    })
    await looking
  }

  return {
    keys: () => {
      if (keys === undefined) throw new Trouble('stamp_key_not_known', 'retry')
      return keys
    },
    begin: async () => {
      keys = await sharedStampKeys(secret, parts)
    },
    look,
    lookForNewer: () => {
      const atMs = steadyMs()
      if (searched === undefined || atMs - searched.atMs >= BETWEEN_MS) searched = { atMs, done: look() }
      return searched.done
    },
  }
}

const isSame = (before: StampKeys, now: StampKeys): boolean =>
  before.length === now.length && before.every((key, i) => Buffer.compare(key, now[i] ?? NO_KEY) === 0)

const NO_KEY = new Uint8Array()
