/** What the operator knows of AccessNamespaces, ProtectedApis and TokenIssuers: each watched once, as little kept as is said of them. */
import type { AccessNamespace } from '../core/namespace.ts'
import { slippingBy } from '../resources/api-remarks.ts'
import { parseReported, type Reported } from '../resources/key-status.ts'
import type { Manifest } from '../resources/manifest.ts'
import { servedBy } from '../resources/served-by.ts'
import { withinRoutes } from '../resources/within-routes.ts'
import { once } from '../runtime/once.ts'
import type { KubeClient } from './client.ts'
import { ACCESS_NAMESPACES, type KubeObject, PROTECTED_APIS, type Resource, TOKEN_ISSUERS } from './objects.ts'
import { type Read, readPolicy } from './policy.ts'
import type { Policy, PolicyKind, PolicyStatuses, Seen, SeenApi } from './policy-status.ts'
import { makeReading } from './reading.ts'
import type { Reflector, reflect } from './reflector.ts'
import { toMend } from './watch-trouble.ts'

export type PolicyCachesParts = {
  readonly client: KubeClient
  readonly reflect: typeof reflect
  /** Something that others did may change what is to be said. */
  readonly onChange: () => void
  /** Told of every change, our own writes too. */
  readonly remember: PolicyStatuses['remember']
  /** @param problem what somebody has to mend, in words */
  readonly onTrouble: (error: unknown, problem: string | undefined) => void
  readonly steadyMs: () => number
  readonly jitter: () => number
}

export type PolicyCaches = {
  readonly all: () => Policy
  readonly run: (stop: AbortSignal) => Promise<void>
  readonly whenSynced: () => Promise<void>
  /** What has not been read yet, in words; undefined: nothing. */
  readonly missing: () => string | undefined
  /** A new leader asks for this before it acts. */
  readonly relist: () => Promise<void>
  /** Of the one that is furthest behind. */
  readonly staleMs: () => number
  /** What we wrote ourselves changes nothing. */
  readonly note: (kind: PolicyKind, object: KubeObject) => void
}

/** What is read of objects; most have the same status, which is held once then. */
export function policyReaders() {
  const statuses = once<Reported>()
  const seen = <T>(object: KubeObject, read: Read<T>): Seen<T> => {
    const { uid, resourceVersion, generation = 1, creationTimestamp: createdAt } = object.metadata
    const reported = statuses(JSON.stringify(object.status ?? null), parseReported(object.status))
    return { uid, resourceVersion, generation, createdAt, read, reported }
  }
  return {
    namespaceOf: (object: KubeObject): Seen<AccessNamespace> =>
      seen(object, readPolicy(object, 'AccessNamespace', place)),
    apiOf: (object: KubeObject): Seen<SeenApi> => seen(object, readPolicy(object, 'ProtectedApi', apiOf)),
    issuerOf: (object: KubeObject): Seen<true> =>
      seen(
        object,
        readPolicy(object, 'TokenIssuer', ({ kind }) => (kind === 'TokenIssuer' ? true : undefined)),
      ),
  }
}

function place(manifest: Manifest): AccessNamespace | undefined {
  if (manifest.kind !== 'AccessNamespace') return undefined
  const { type, parent, externalId } = manifest.spec
  return { name: manifest.name, type, parent, externalId }
}

function apiOf(manifest: Manifest): SeenApi | undefined {
  if (manifest.kind !== 'ProtectedApi') return undefined
  const { namespace, name, spec } = manifest
  return {
    name: `${namespace}/${name}`,
    environments: spec.environments,
    issuers: spec.tokens.map(({ issuer }) => issuer),
    remarks: slippingBy(spec),
    adapters: servedBy(spec.routes),
    within: withinRoutes(spec),
  }
}

export function openPolicyCaches({ reflect, onChange, remember, ...parts }: PolicyCachesParts): PolicyCaches {
  const { namespaceOf, apiOf, issuerOf } = policyReaders()
  let noting = false
  type Watched<T> = { readonly kind: PolicyKind; readonly read: (object: KubeObject) => Seen<T> }
  const reading = makeReading()
  const watch = <T>(resource: Resource, { kind, read }: Watched<T>): Reflector<Seen<T>> => {
    const reflector = reflect({
      ...parts,
      resource,
      read,
      onTrouble: (error) => {
        reading.failed(error, resource)
        parts.onTrouble(error, toMend(error, resource))
      },
      onChange: (key, now) => {
        remember(kind, key, now)
        if (!noting) onChange()
      },
    })
    reading.add(resource, reflector)
    return reflector
  }
  const namespaces = watch(ACCESS_NAMESPACES, { kind: 'AccessNamespace', read: namespaceOf })
  const apis = watch(PROTECTED_APIS, { kind: 'ProtectedApi', read: apiOf })
  const issuers = watch(TOKEN_ISSUERS, { kind: 'TokenIssuer', read: issuerOf })
  const byKind: Readonly<Record<PolicyKind, Reflector<unknown>>> = {
    AccessNamespace: namespaces,
    ProtectedApi: apis,
    TokenIssuer: issuers,
  }
  const reflectors = Object.values(byKind)
  const ofAll = async (act: (reflector: Reflector<unknown>) => Promise<void>): Promise<void> => {
    await Promise.all(reflectors.map(act))
  }
  return {
    all: () => ({ namespaces: namespaces.entries(), apis: apis.entries(), issuers: issuers.entries() }),
    run: (stop) => ofAll((reflector) => reflector.run(stop)),
    whenSynced: () => ofAll((reflector) => reflector.whenSynced()),
    missing: reading.missing,
    relist: () => ofAll((reflector) => reflector.relist()),
    staleMs: () => Math.max(...reflectors.map((reflector) => reflector.staleMs())),
    note: (kind, object) => {
      noting = true
      try {
        byKind[kind].note(object)
      } finally {
        noting = false
      }
    },
  }
}
