/** What the operator knows of keys without asking: ApiKeys, claims, digest Secrets and tombstones, each watched once. */
import type { KeyId } from '../core/credential.ts'
import { type KeyRef, nameOf, refOf } from '../core/key-ref.ts'
import { Trouble } from '../core/trouble.ts'
import { type Claim, readClaim } from './claims.ts'
import type { KubeClient } from './client.ts'
import { DIGEST_SECRET_TYPE, type DigestRead, readDigestSecret } from './digest-secret.ts'
import { keepClaims } from './kept-claims.ts'
import { type KeptDigests, keepDigests } from './kept-digests.ts'
import { API_KEYS, CLAIMS, CONFIG_MAPS, type KubeObject, type Ref, SECRETS } from './objects.ts'
import { makeReading } from './reading.ts'
import type { Reflector, ReflectorParts, reflect } from './reflector.ts'
import { makeRegenerations, type Regenerations } from './regenerations.ts'
import { keepTombstones, readTombstones, TOMBSTONES_SELECTOR, type Tombstones } from './tombstones.ts'
import { toMend } from './watch-trouble.ts'

export type KeyCachesParts = {
  readonly client: KubeClient
  /** Keyward's own. */
  readonly namespace: string
  readonly reflect: typeof reflect
  /** Something that others did may concern this ApiKey. */
  readonly wake: (ref: KeyRef) => void
  /** @param problem what somebody has to mend, in words */
  readonly onTrouble: (error: unknown, problem: string | undefined) => void
  readonly steadyMs: () => number
  readonly jitter: () => number
}

export type KeyCaches = {
  readonly run: (stop: AbortSignal) => Promise<void>
  readonly whenSynced: () => Promise<void>
  /** A new leader asks for this before it acts. */
  readonly relist: () => Promise<void>
  readonly synced: () => boolean
  /** What it waits for before all was read for the first time; undefined: nothing. */
  readonly missing: () => string | undefined
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
    /** The resourceVersion that it was made with; undefined: it was there before anybody looked. */
    readonly madeAt: (claim: Claim) => string | undefined
  }
  readonly regenerations: Pick<Regenerations, 'saw' | 'seenAt'>
  readonly isRetired: (keyId: KeyId) => boolean
  /** The name of the ConfigMap that its tombstone is to stand in. */
  readonly tombstonesFor: (keyId: KeyId) => string
  /** What we wrote or read live ourselves: nobody is woken by it. */
  readonly noteDigest: (object: KubeObject) => void
  readonly digestIsGone: (name: string, uid: string) => void
  readonly noteClaim: (object: KubeObject) => void
  readonly claimIsGone: (ref: KeyRef, uid: string) => void
  readonly noteTombstones: (object: KubeObject) => void
}

type Wanted<T> = Pick<ReflectorParts<T>, 'resource' | 'namespace' | 'selector' | 'read' | 'onChange'>

const OUTAGES = new Set(['kube_unreachable', 'kube_timeout'])
const isOutage = (error: unknown): boolean => error instanceof Trouble && OUTAGES.has(error.code)

/** What tells one state of an ApiKey from another; its status is our own. */
type Seen = { readonly uid: string; readonly generation: number | undefined; readonly deleting: boolean }

const seenOf = ({ metadata }: KubeObject): Seen => ({
  uid: metadata.uid,
  generation: metadata.generation,
  deleting: metadata.deletionTimestamp !== undefined,
})

export function openKeyCaches({ client, namespace, reflect, wake, ...rest }: KeyCachesParts): KeyCaches {
  const { onTrouble, steadyMs, jitter } = rest
  const reading = makeReading()
  /** What is written follows from what is known here, so it is listed anew after every time that nobody could be asked. */
  const followed = <T>(wanted: Wanted<T>): Reflector<T> => {
    const reflector = reflect<T>({
      ...{ client, steadyMs, jitter, ...wanted },
      onTrouble: (error) => {
        reading.failed(error, wanted.resource, wanted.namespace)
        onTrouble(error, toMend(error, wanted.resource, wanted.namespace))
        // etcd may have been put back, and once enough was written since then no resourceVersion tells
        if (isOutage(error)) reflector.relist().catch(() => {})
      },
    })
    reading.add(wanted.resource, reflector)
    return reflector
  }
  const digests = keepDigests()
  const claims = keepClaims()
  const regenerations = makeRegenerations()
  let noting = false

  const wakeByName = (name: string | undefined): void => {
    if (!noting && name !== undefined) wake(refOf(name))
  }

  const apiKeys = followed<Seen>({
    resource: API_KEYS,
    read: (object) => {
      regenerations.saw(object)
      return seenOf(object)
    },
    onChange: (key, now, before) => {
      if (now === undefined && before !== undefined) regenerations.gone(key, before.uid)
      const same = now?.uid === before?.uid && now?.generation === before?.generation
      if (!same || now?.deleting !== before?.deleting) wakeByName(key)
    },
  })
  const digestSecrets = followed<DigestRead>({
    resource: SECRETS,
    namespace,
    selector: { field: `type=${DIGEST_SECRET_TYPE}` },
    read: readDigestSecret,
    onChange: (_key, now, before) => {
      digests.changed(now, before)
      wakeByName((now ?? before)?.apiKeyName)
    },
  })
  const claimObjects = followed<Claim | undefined>({
    resource: CLAIMS,
    read: readClaim,
    onChange: (key, now, before) => {
      claims.changed(key, now)
      wakeByName((now ?? before)?.apiKey)
    },
  })
  // what is in the first list may have been written to since it was made
  void claimObjects.whenSynced().then(claims.watchBegins, () => {})
  const spent = keepTombstones()
  const tombstones = followed<Tombstones>({
    resource: CONFIG_MAPS,
    namespace,
    selector: { label: TOMBSTONES_SELECTOR },
    read: readTombstones,
    onChange: (key, now, before) => {
      spent.changed(refOf(key).name, now)
      // somebody took them away: those that are kept of revoked keys are made anew
      for (const keyId of Object.keys(before ?? {}))
        if (!Object.hasOwn(now ?? {}, keyId)) wakeByName(digests.byKeyId(keyId as KeyId)?.apiKeyName)
    },
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
    missing: reading.missing,
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
    claims: { of: (ref) => claims.of(nameOf(ref)), all: claims.all, madeAt: claims.madeAt },
    regenerations,
    isRetired: spent.isRetired,
    tombstonesFor: spent.nameFor,
    noteDigest: (object) => quietly(() => digestSecrets.note(object)),
    digestIsGone: (name, uid) => quietly(() => digestSecrets.noteGone(`${namespace}/${name}`, uid)),
    noteClaim: (object) => quietly(() => claimObjects.note(object)),
    claimIsGone: (ref, uid) => quietly(() => claimObjects.noteGone(nameOf(ref), uid)),
    noteTombstones: (object) => quietly(() => tombstones.note(object)),
  }
}

export const refOfObject = ({ metadata }: { readonly metadata: Ref }): KeyRef => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
})
