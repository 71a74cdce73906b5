/** A cluster kept in force: digest Secrets, ApiKeys, AccessNamespaces and ProtectedApis watched, and decided by from memory. */
import type { Index } from '../core/decide.ts'
import type { HostTable } from '../core/host.ts'
import type { AccessNamespace, NamespaceTree } from '../core/namespace.ts'
import type { Api } from '../core/route.ts'
import { makeKeyIndex } from '../enforce/key-index.ts'
import type { Log } from '../runtime/log.ts'
import type { KubeClient } from './client.ts'
import { DIGEST_SECRET_TYPE } from './digest-secret.ts'
import { keptForms } from './kept-key.ts'
import { makeKeySource } from './key-source.ts'
import { ACCESS_NAMESPACES, API_KEYS, type KubeObject, PROTECTED_APIS, type Resource, SECRETS } from './objects.ts'
import { accessNamespaceOf, protectedApiOf, type Said } from './policy.ts'
import { hostsInForce, type PolicyInForce, treeInForce } from './policy-in-force.ts'
import { type Reflector, type ReflectorParts, reflect } from './reflector.ts'
import { makeRenewing, type Renewing } from './renewing.ts'
import { makeSetAside } from './set-aside.ts'
import { makeWatched, type Watched } from './watched.ts'

export type FollowParts = {
  readonly client: KubeClient
  /** Keyward's own Kubernetes namespace: where the digests lie. */
  readonly namespace: string
  readonly log: Log
  readonly nowMs: () => number
  readonly steadyMs: () => number
  readonly jitter: () => number
  readonly onReady: (keys: number, problems: number) => void
  /** Other hosts, routes or access namespaces are in force. */
  readonly onChange: () => void
  readonly countTrouble: (kind: string) => void
  /** Gives back what reading all of it left behind. */
  readonly collect: (thorough: boolean) => void
}

export type Following = {
  /** undefined until all of it is in force for the first time; from then on it goes on from memory, whatever happens. */
  readonly index: () => Index | undefined
  /** What is waited for; undefined: nothing. */
  readonly missing: () => string | undefined
  readonly keys: () => number
  /** Objects that are set aside now. */
  readonly problems: () => number
  readonly unreadable: () => Iterable<readonly [kind: string, count: number]>
  /** How old what is in force may be. */
  readonly staleness: () => Iterable<readonly [resource: string, ms: number]>
  /** Goes on until it is stopped. */
  readonly run: (stop: AbortSignal) => Promise<void>
}

/** How soon it is told that trouble is over. */
const LOOK_EVERY_MS = 1000
/** So many objects are read at the start between two collections. */
const COLLECTED_EVERY = 40_000
/** A watch is asked for so long, and missed so soon after: news is younger than this wherever all is well. */
const KNOWN_WITHIN_MS = 12_000

export function followCluster(parts: FollowParts): Following {
  const { client, namespace, log, nowMs, steadyMs, jitter, countTrouble } = parts
  const setAside = makeSetAside(log)
  const keys = makeKeyIndex()
  const watched: Watched[] = []
  let index: Index | undefined

  const staleMs = (): number => {
    let oldest = 0
    for (const one of watched) oldest = Math.max(oldest, one.staleMs())
    return oldest <= KNOWN_WITHIN_MS ? 0 : oldest
  }

  type Wish<T> = Pick<ReflectorParts<T>, 'read' | 'onChange' | 'selector'> & { readonly namespace?: string }
  const watch = <T>(resource: Resource, wish: Wish<T>): Reflector<T> => {
    const one = makeWatched({
      resource,
      log,
      countTrouble,
      steadyMs,
      ...(wish.namespace !== undefined && { namespace: wish.namespace }),
    })
    const reflector = reflect({
      client,
      resource,
      // digests are never gone with their kind: every API server knows Secrets
      goneWithKind: resource.group !== '',
      ...wish,
      onTrouble: one.onTrouble,
      steadyMs,
      jitter,
    })
    one.follow(reflector)
    watched.push(one)
    return reflector
  }

  let readAtStart = 0
  /** The first time all of it comes at once, and V8 would let the room for it grow to several times of what stays. */
  const collecting =
    <T>(read: (object: KubeObject) => T) =>
    (object: KubeObject): T => {
      if (index === undefined && ++readAtStart % COLLECTED_EVERY === 0) parts.collect(false)
      return read(object)
    }
  const { keptOf, declaredOf } = keptForms()
  const source = makeKeySource({ keys, declared: (name) => apiKeys.get(name), setAside, nowMs })
  const secrets = watch(SECRETS, {
    namespace,
    selector: { field: `type=${DIGEST_SECRET_TYPE}` },
    read: collecting(keptOf),
    onChange: source.keptChanged,
  })
  const apiKeys = watch(API_KEYS, { read: collecting(declaredOf), onChange: source.declaredChanged })

  /** Watched one by one and compiled together. */
  const together = <T>(
    policy: PolicyInForce<T, unknown>,
    renewing: () => Renewing<unknown>,
  ): Pick<ReflectorParts<Said<T>>, 'onChange'> => ({
    onChange: (key, now, before) => {
      if (policy.changed(key, now, before)) renewing().changed()
    },
  })
  const [ofApis, ofNamespaces] = [hostsInForce(setAside), treeInForce(setAside)]
  const exchange = (): void => {
    const [table, built] = [hosts.current(), tree.current()]
    if (table === undefined || built === undefined) return
    index = { findKey: keys.find, hosts: table, tree: built, staleMs }
  }
  const renewed = (): void => {
    exchange()
    parts.onChange()
  }
  const apis: Reflector<Said<Api>> = watch(PROTECTED_APIS, { read: protectedApiOf, ...together(ofApis, () => hosts) })
  const namespaces: Reflector<Said<AccessNamespace>> = watch(ACCESS_NAMESPACES, {
    read: accessNamespaceOf,
    ...together(ofNamespaces, () => tree),
  })
  const hosts: Renewing<HostTable> = makeRenewing(() => ofApis.compile(apis.entries()), steadyMs, renewed)
  const tree: Renewing<NamespaceTree> = makeRenewing(
    () => ofNamespaces.compile(namespaces.entries()),
    steadyMs,
    renewed,
  )
  const reflectors = [secrets, apiKeys, apis, namespaces]

  /** Never half of it: a key whose Secret is not there yet would be refused as unknown. */
  const begin = async (): Promise<void> => {
    await Promise.all(reflectors.map((one) => one.whenSynced()))
    await source.settled()
    hosts.renew()
    tree.renew()
    // while nobody waits for an answer yet
    parts.collect(true)
    exchange()
    parts.onReady(keys.size(), setAside.size())
  }

  const run = async (stop: AbortSignal): Promise<void> => {
    const looking = setInterval(() => {
      for (const one of watched) one.look()
    }, LOOK_EVERY_MS)
    try {
      const failed = new Promise<never>((_resolve, reject) => {
        // who is stopped before it was ready has not failed
        begin().catch((error) => (stop.aborted ? undefined : reject(error)))
      })
      await Promise.race([failed, Promise.all(reflectors.map((one) => one.run(stop)))])
    } finally {
      clearInterval(looking)
    }
  }

  return {
    index: () => index,
    missing: () => {
      if (index !== undefined) return undefined
      const missing = watched.flatMap((one) => one.missing() ?? [])
      return missing.length > 0 ? [...new Set(missing)].join('; ') : 'what was read is being put into force'
    },
    keys: keys.size,
    problems: setAside.size,
    unreadable: setAside.byKind,
    staleness: () => watched.map((one) => [one.name, one.staleMs()] as const),
    run,
  }
}
