/** The reconciler's port on a folder and a store: manifests that are in force on one side, digests and new keys on the other. */
import { composeKeyId, type Digest, type KeyId, RANDOM_BYTES } from '../core/credential.ts'
import type { KeyRef } from '../core/key-ref.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { Trouble } from '../core/trouble.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { parseReported } from '../resources/key-status.ts'
import type { ClaimsOfKeys } from './claims.ts'
import type { NewKeys } from './new-keys.ts'
import type { Store } from './store.ts'

export type KeyPortParts = {
  readonly store: Pick<Store, 'forms' | 'secrets' | 'statuses'>
  /** The ApiKey as it is in force. */
  readonly find: (
    ref: KeyRef,
  ) => { readonly uid: string; readonly generation: number; readonly apiKey: ApiKey } | undefined
  /** undefined: new versions wait until there is somebody to receive them. */
  readonly newKeys: NewKeys | undefined
  /** undefined: nobody claims. */
  readonly claims?: ClaimsOfKeys | undefined
  readonly random: (count: number) => Uint8Array
}

type Opening = {
  readonly ref: KeyRef
  readonly uid: string
  readonly over: string | undefined
  readonly recipient:
    | { readonly kind: 'claim'; readonly claim: string }
    | { readonly kind: 'newKeys' | 'workloadSecret' }
}

/** Standalone has no users: whoever writes the manifests makes the keys, receives them, and is not capped. */
const NOBODY_ELSE = 'standalone'

const NEW_KEYS = { kind: 'newKeys', claimant: NOBODY_ELSE } as const
const PEOPLE = { createdBy: NOBODY_ELSE, cap: undefined, lost: [], unattested: undefined }

/** What there is of these only where others edit ApiKeys at any time, and keep Secrets. */
const ONLY_ON_A_CLUSTER = { arrival: undefined, workloadSecret: undefined, granting: undefined } as const

export function makeKeyPort({ store: { forms, secrets, statuses }, find, newKeys, claims, random }: KeyPortParts) {
  const waiting = (ref: KeyRef, uid?: string) => claims?.waiting(ref, uid) ?? []

  const automatic = (apiKey: ApiKey) =>
    newKeys === undefined || apiKey.spec.delivery.kind === 'imported' ? undefined : NEW_KEYS

  // the table is asked, not the folder: what is merely not seen there keeps its digests
  const orphansOf = ({ namespace, name }: KeyRef, uid: string | undefined) =>
    secrets.named(`${namespace}/${name}`).filter((kept) => kept.uid !== uid && !forms.has(kept.uid))

  const takenFrom = (uid: string, { spec: { delivery } }: ApiKey) => {
    if (delivery.kind !== 'imported') return { keyId: undefined, digest: undefined }
    const isHeld = (what: KeyId | Digest): boolean => (secrets.holderOf(what) ?? uid) !== uid
    const keyId = secrets.isRetired(delivery.keyId) ? 'retired' : isHeld(delivery.keyId) ? 'held' : undefined
    return { keyId, digest: isHeld(delivery.digest) ? 'held' : undefined } as const
  }

  return {
    observe: async (ref: KeyRef) => {
      const declared = find(ref)
      const orphans = orphansOf(ref, declared?.uid)
      const rest = { declared, orphans, ...ONLY_ON_A_CLUSTER, people: PEOPLE }
      if (declared === undefined) {
        return {
          ...rest,
          claims: waiting(ref),
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
        claims: waiting(ref, uid),
        held,
        freshKeyId: held === undefined ? composeKeyId(apiKey.spec.environment, random(RANDOM_BYTES)) : undefined,
        automatic: automatic(apiKey),
        taken: takenFrom(uid, apiKey),
        reported: parseReported(statuses.get(uid)),
      }
    },

    writeSecret: async (next: KeySecret, over: string | undefined) => {
      const revision = await secrets.write(next, over)
      const [namespace = '', name = ''] = next.name.split('/')
      claims?.confirmed({ namespace, name })
      return revision
    },

    openAttempt: async ({ ref, uid, over, recipient }: Opening) => {
      const attempt = secrets.openAttempt(uid, over)
      let version = 0
      return {
        storeDigest: async (stored: KeySecret) => {
          version = stored.current?.version ?? 0
          await attempt.write(stored)
        },
        deliver: async (plaintext: Plaintext) => {
          if (recipient.kind === 'claim' && claims !== undefined) {
            const { claim } = recipient
            return await claims.deliver(ref, { claim, keyUid: uid, version, plaintext, holds: attempt.holds })
          }
          if (newKeys === undefined) throw new Trouble('nobody_to_deliver_to', 'stop')
          await newKeys.deliver({ ...ref, plaintext, mayDeliver: attempt.holds })
        },
        confirm: async (arrived: KeySecret) => {
          const revision = await attempt.write(arrived)
          if (recipient.kind === 'claim') claims?.confirmed(ref)
          return revision
        },
      }
    },

    tombstone: secrets.tombstone,
    remove: (uid: string) => secrets.remove(uid),
    denyClaim: async (ref: KeyRef, denied: Parameters<ClaimsOfKeys['deny']>[1]) => await claims?.deny(ref, denied),
    report: (_ref: KeyRef, uid: string, status: unknown) => statuses.put(uid, status),
  }
}

const NOTHING_TAKEN = { keyId: undefined, digest: undefined }
