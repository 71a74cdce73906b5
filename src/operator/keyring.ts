/** All keys of one process: brings each to where its manifest wants it, and says at once which digests are in force. */
import { type KeyRef, nameOf, refOf } from '../core/key-ref.ts'
import { type Indexed, recordOf } from '../resources/key-record.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { makeQueue, type QueueParts } from '../runtime/queue.ts'
import type { KeyPort } from './key-port.ts'
import { inForceAt } from './plan.ts'
import { reconcile } from './reconcile.ts'
import type { Declared } from './world.ts'

export type KeyringParts = {
  readonly port: KeyPort
  /** ApiKeys as they are in force; asked again each time. */
  readonly find: (ref: KeyRef) => Declared | undefined
  readonly all: () => Iterable<KeyRef>
  /** What is kept of a key, without waiting. */
  readonly secretOf: (uid: string) => KeySecret | undefined
  /** `namespace/name` of every ApiKey of which something is kept, gone or not. */
  readonly keptNames: () => Iterable<string>
  readonly nowMs: () => number
  readonly random: (count: number) => Uint8Array
  /** undefined: the key is gone, or nothing of it is in force. */
  readonly onChange: (uid: string, indexed: Indexed | undefined) => void
  readonly onTrouble: (ref: KeyRef, error: unknown, retryMs: number | undefined) => void
  /** From 0 (inclusive) to 1. */
  readonly jitter: () => number
  readonly after?: QueueParts['after']
}

export type Keyring = {
  /** Once, at the start: everything in force is told of when this returns; what is left to do has begun. */
  readonly load: () => void
  /** To be called whenever an ApiKey came, changed or went. What takes away is in force when this returns. */
  readonly reconcile: (ref: KeyRef) => void
  /** Resolves when there is nothing left to do now. */
  readonly idle: () => Promise<void>
  /** Resolves when what was begun is done. */
  readonly stop: () => Promise<void>
}

/** Enough that writes of many keys become one; few enough that none waits long for its own. */
const CONCURRENCY = 1024

export function openKeyring(parts: KeyringParts): Keyring {
  const { find, secretOf, nowMs, random, onChange, onTrouble, jitter, after } = parts
  /** The uid that was last told of, by `namespace/name`. */
  const told = new Map<string, string>()

  const withdraw = (name: string): void => {
    const uid = told.get(name)
    if (uid === undefined) return
    told.delete(name)
    onChange(uid, undefined)
  }

  /** Always worked out anew from what is declared and kept now, so that it does not matter what is told first. */
  const tell = (ref: KeyRef): void => {
    const name = nameOf(ref)
    const declared = find(ref)
    const secret = declared && inForceAt(declared, secretOf(declared.uid), nowMs())
    if (told.get(name) !== declared?.uid || secret === undefined) withdraw(name)
    if (declared === undefined || secret === undefined) return
    told.set(name, declared.uid)
    onChange(declared.uid, recordOf(declared.apiKey, secret, undefined))
  }

  const port = telling(parts.port, tell)

  const queue = makeQueue({
    run: async (name) => {
      const again = await reconcile({ port, nowMs, random }, refOf(name))
      return again === undefined ? undefined : again - nowMs()
    },
    concurrency: CONCURRENCY,
    onTrouble: (name, error, retryMs) => onTrouble(refOf(name), error, retryMs),
    jitter,
    ...(after && { after }),
  })

  return {
    load: () => {
      for (const ref of parts.all()) {
        tell(ref)
        queue.add(nameOf(ref))
      }
      // what was kept for ApiKeys that went while nobody looked
      for (const name of parts.keptNames()) queue.add(name)
    },
    reconcile: (ref) => {
      tell(ref)
      queue.add(nameOf(ref))
    },
    idle: queue.idle,
    stop: queue.stop,
  }
}

/** The same port; whatever it keeps is told of as soon as it is kept, and never before. */
function telling(port: KeyPort, tell: (ref: KeyRef) => void): KeyPort {
  return {
    ...port,
    writeSecret: async (next, over, grant) => {
      const revision = await port.writeSecret(next, over, grant)
      tell(refOf(next.name))
      return revision
    },
    openAttempt: async (opening) => {
      const attempt = await port.openAttempt(opening)
      return {
        ...attempt,
        storeDigest: async (stored) => {
          await attempt.storeDigest(stored)
          // before it is delivered: whoever reads the new key may use it at once
          tell(opening.ref)
        },
        confirm: async (arrived) => {
          const revision = await attempt.confirm(arrived)
          tell(opening.ref)
          return revision
        },
      }
    },
  }
}
