/** What the operator knows of keys without asking: ApiKeys, claims, digest Secrets and tombstones, each watched once. */
import type { KeyId } from '../core/credential.ts'
import { type Claim, olderFirst, readClaim } from './claims.ts'
import type { KubeClient } from './client.ts'
import { DIGEST_SECRET_TYPE, type DigestRead, readDigestSecret } from './digest-secret.ts'
import { type KeptDigests, keepDigests } from './kept-digests.ts'
import { API_KEYS, CLAIMS, CONFIG_MAPS, type KubeObject, type Ref, SECRETS } from './objects.ts'
import type { Reflector, reflect } from './reflector.ts'
import { readTombstones, TOMBSTONES_SELECTOR, tombstonesName } from './tombstones.ts'

export type KeyRef = { readonly namespace: string; readonly name: string }

export type KeyCachesParts = {
  readonly client: KubeClient
  /** Keyward's own. */
  readonly namespace: string
  readonly reflect: typeof reflect
  /** Something that others did may concern this ApiKey. */
  readonly wake: (ref: KeyRef) => void
  readonly onTrouble: (error: unknown) => void
  readonly steadyMs: () => number
  readonly jitter: () => number
}

export type KeyCaches = {
  readonly run: (stop: AbortSignal) => Promise<void>
  readonly whenSynced: () => Promise<void>
  /** A new leader asks for this before it acts. */
  readonly relist: () => Promise<void>
  readonly synced: () => boolean
  /** Of the one that is furthest behind. */
  readonly staleMs: () => number
  /** Everything that there may be something to do for: ApiKeys, and names of which only something is left. */
  readonly all: () => Iterable<KeyRef>
  /** Names of which digests are kept for an ApiKey that is not there, as far as is seen: a live look decides. */
  readonly strays: () => readonly KeyRef[]
  readonly digests: KeptDigests
  readonly claims: {
    /** For this ApiKey, oldest first. */
    readonly of: (ref: KeyRef) => readonly Claim[]
    readonly all: () => Iterable<Claim>
  }
  readonly isRetired: (keyId: KeyId) => boolean
  /** What we wrote or read live ourselves: nobody is woken by it. */
  readonly noteDigest: (object: KubeObject) => void
  readonly digestIsGone: (name: string, uid: string) => void
  readonly noteClaim: (object: KubeObject) => void
  readonly claimIsGone: (ref: KeyRef, uid: string) => void
  readonly noteTombstones: (object: KubeObject) => void
}

/** What tells one state of an ApiKey from another; its status is our own. */
type Seen = { readonly uid: string; readonly generation: number | undefined; readonly deleting: boolean }

const seenOf = ({ metadata }: KubeObject): Seen => ({
  uid: metadata.uid,
  generation: metadata.generation,
  deleting: metadata.deletionTimestamp !== undefined,
})

export function openKeyCaches({ client, namespace, reflect, wake, ...rest }: KeyCachesParts): KeyCaches {
  const { onTrouble, steadyMs, jitter } = rest
  const parts = { client, onTrouble, steadyMs, jitter }
  const digests = keepDigests()
  const claims = keepClaims()
  let noting = false

  const wakeByName = (name: string | undefined): void => {
    if (!noting && name !== undefined) wake(refOf(name))
  }

  const apiKeys = reflect<Seen>({
    ...parts,
    resource: API_KEYS,
    read: seenOf,
    onChange: (key, now, before) => {
      const same = now?.uid === before?.uid && now?.generation === before?.generation
      if (!same || now?.deleting !== before?.deleting) wakeByName(key)
    },
  })
  const digestSecrets = reflect<DigestRead>({
    ...parts,
    resource: SECRETS,
    namespace,
    selector: { field: `type=${DIGEST_SECRET_TYPE}` },
    read: readDigestSecret,
    onChange: (_key, now, before) => {
      digests.changed(now, before)
      wakeByName((now ?? before)?.apiKeyName)
    },
  })
  const claimObjects = reflect<Claim | undefined>({
    ...parts,
    resource: CLAIMS,
    read: readClaim,
    onChange: (key, now, before) => {
      claims.changed(key, now)
      wakeByName((now ?? before)?.apiKey)
    },
  })
  const tombstones = reflect<Readonly<Record<string, unknown>>>({
    ...parts,
    resource: CONFIG_MAPS,
    namespace,
    selector: { label: TOMBSTONES_SELECTOR },
    read: readTombstones,
    onChange: () => {},
  })
  const reflectors: readonly Reflector<unknown>[] = [apiKeys, digestSecrets, claimObjects, tombstones]

  const quietly = (act: () => void): void => {
    noting = true
    try {
      act()
    } finally {
      noting = false
    }
  }

  return {
    run: async (stop) => {
      await Promise.all(reflectors.map((reflector) => reflector.run(stop)))
    },
    whenSynced: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.whenSynced()))
    },
    relist: async () => {
      await Promise.all(reflectors.map((reflector) => reflector.relist()))
    },
    synced: () => reflectors.every((reflector) => reflector.synced()),
    staleMs: () => Math.max(...reflectors.map((reflector) => reflector.staleMs())),
    all: function* () {
      for (const [key] of apiKeys.entries()) yield refOf(key)
      for (const { apiKeyName: name } of digests.all()) {
        if (name !== undefined && apiKeys.get(name) === undefined) yield refOf(name)
      }
      for (const name of claims.names()) if (apiKeys.get(name) === undefined) yield refOf(name)
    },
    strays: () =>
      [...digests.all()].flatMap(({ apiKeyName: name, apiKeyUid }) =>
        name === undefined || apiKeys.get(name)?.uid === apiKeyUid ? [] : [refOf(name)],
      ),
    digests,
    claims: { of: (ref) => claims.of(nameOf(ref)), all: claims.all },
    isRetired: (keyId) => Object.hasOwn(tombstones.get(`${namespace}/${tombstonesName(keyId)}`) ?? {}, keyId),
    noteDigest: (object) => quietly(() => digestSecrets.note(object)),
    digestIsGone: (name, uid) => quietly(() => digestSecrets.noteGone(`${namespace}/${name}`, uid)),
    noteClaim: (object) => quietly(() => claimObjects.note(object)),
    claimIsGone: (ref, uid) => quietly(() => claimObjects.noteGone(nameOf(ref), uid)),
    noteTombstones: (object) => quietly(() => tombstones.note(object)),
  }
}

function keepClaims() {
  const byKey = new Map<string, Claim>()
  const byApiKey = new Map<string, Map<string, Claim>>()
  return {
    changed: (key: string, now: Claim | undefined): void => {
      const before = byKey.get(key)
      if (before !== undefined) {
        const others = byApiKey.get(before.apiKey)
        others?.delete(key)
        if (others?.size === 0) byApiKey.delete(before.apiKey)
        byKey.delete(key)
      }
      if (now === undefined) return
      byKey.set(key, now)
      const others = byApiKey.get(now.apiKey) ?? new Map<string, Claim>()
      byApiKey.set(now.apiKey, others.set(key, now))
    },
    of: (apiKey: string): readonly Claim[] => [...(byApiKey.get(apiKey)?.values() ?? [])].sort(olderFirst),
    names: (): Iterable<string> => byApiKey.keys(),
    all: (): Iterable<Claim> => byKey.values(),
  }
}

export const nameOf = ({ namespace, name }: KeyRef): string => `${namespace}/${name}`

export function refOf(name: string): KeyRef {
  const slash = name.indexOf('/')
  return { namespace: name.slice(0, slash), name: name.slice(slash + 1) }
}

export const refOfObject = ({ metadata }: { readonly metadata: Ref }): KeyRef => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
})
