/** The reconciler's port on a folder and a store: manifests that are in force on one side, digests and new keys on the other. */
import { composeKeyId, type Digest, type KeyId, RANDOM_BYTES } from '../core/credential.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { Trouble } from '../core/trouble.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { parseReported } from '../resources/key-status.ts'
import type { NewKeys } from './new-keys.ts'
import type { Store } from './store.ts'

export type KeyName = { readonly namespace: string; readonly name: string }

export type KeyPortParts = {
  readonly store: Pick<Store, 'forms' | 'secrets' | 'statuses'>
  /** The ApiKey as it is in force. */
  readonly find: (
    ref: KeyName,
  ) => { readonly uid: string; readonly generation: number; readonly apiKey: ApiKey } | undefined
  /** undefined: new versions wait until there is somebody to receive them. */
  readonly newKeys: NewKeys | undefined
  readonly random: (count: number) => Uint8Array
}

/** Standalone has no users: whoever writes the manifests makes the keys, receives them, and is not capped. */
const NOBODY_ELSE = 'standalone'

const NEW_KEYS = { kind: 'newKeys', claimant: NOBODY_ELSE } as const
const PEOPLE = { createdBy: NOBODY_ELSE, held: undefined }

/** What there is of these only where others edit ApiKeys at any time, and keep Secrets. */
const ONLY_ON_A_CLUSTER = { claims: [], arrival: undefined, workloadSecret: undefined, granting: undefined } as const

export function makeKeyPort({ store: { forms, secrets, statuses }, find, newKeys, random }: KeyPortParts) {
  const automatic = (apiKey: ApiKey) =>
    newKeys === undefined || apiKey.spec.delivery.kind === 'imported' ? undefined : NEW_KEYS

  // the table is asked, not the folder: what is merely not seen there keeps its digests
  const orphansOf = ({ namespace, name }: KeyName, uid: string | undefined) =>
    secrets.named(`${namespace}/${name}`).filter((kept) => kept.uid !== uid && !forms.has(kept.uid))

  const takenFrom = (uid: string, { spec: { delivery } }: ApiKey) => {
    if (delivery.kind !== 'imported') return { keyId: undefined, digest: undefined }
    const isHeld = (what: KeyId | Digest): boolean => (secrets.holderOf(what) ?? uid) !== uid
    const keyId = secrets.isRetired(delivery.keyId) ? 'retired' : isHeld(delivery.keyId) ? 'held' : undefined
    return { keyId, digest: isHeld(delivery.digest) ? 'held' : undefined } as const
  }

  return {
    observe: async (ref: KeyName) => {
      const declared = find(ref)
      const orphans = orphansOf(ref, declared?.uid)
      const rest = { declared, orphans, ...ONLY_ON_A_CLUSTER, people: PEOPLE }
      if (declared === undefined) {
        return {
          ...rest,
          held: undefined,
          automatic: undefined,
          freshKeyId: undefined,
          taken: NOTHING_TAKEN,
          reported: parseReported(undefined),
        }
      }
      const { uid, apiKey } = declared
      const held = secrets.get(uid)
      return {
        ...rest,
        held,
        freshKeyId: held === undefined ? composeKeyId(apiKey.spec.environment, random(RANDOM_BYTES)) : undefined,
        automatic: automatic(apiKey),
        taken: takenFrom(uid, apiKey),
        reported: parseReported(statuses.get(uid)),
      }
    },

    writeSecret: (next: KeySecret, over: string | undefined) => secrets.write(next, over),

    openAttempt: async ({ ref, uid, over }: { ref: KeyName; uid: string; over: string | undefined }) => {
      const attempt = secrets.openAttempt(uid, over)
      return {
        storeDigest: async (stored: KeySecret) => {
          await attempt.write(stored)
        },
        deliver: async (plaintext: Plaintext) => {
          if (newKeys === undefined) throw new Trouble('nobody_to_deliver_to', 'stop')
          await newKeys.deliver({ ...ref, plaintext, mayDeliver: attempt.holds })
        },
        confirm: attempt.write,
      }
    },

    tombstone: secrets.tombstone,
    remove: (uid: string) => secrets.remove(uid),
    // a folder takes no claims
    denyClaim: async () => {},
    report: (_ref: KeyName, uid: string, status: unknown) => statuses.put(uid, status),
  }
}

const NOTHING_TAKEN = { keyId: undefined, digest: undefined }
