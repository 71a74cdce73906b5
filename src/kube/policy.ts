/** ProtectedApis and AccessNamespaces as they are read, each by itself. */
import type { AccessNamespace } from '../core/namespace.ts'
import type { Api } from '../core/route.ts'
import { API_VERSION } from '../resources/common.ts'
import { type Manifest, parseManifest } from '../resources/manifest.ts'
import { compileApi } from '../resources/protected-api.ts'
import { isTieAlone } from '../resources/protected-api-rules.ts'
import { reservedBy } from './holders.ts'
import type { Unreadable } from './kept-key.ts'
import type { KubeObject } from './objects.ts'
import { inOneLine } from './set-aside.ts'

/** One of these objects, as far as it decides. */
export type Said<T> = {
  readonly uid: string
  readonly createdAt: string
  /** JSON of its spec: whether an event is about more than its status. */
  readonly spec: string
  readonly read: Read<T>
}

export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  | (Unreadable & {
      /** In one word, for programs. */
      readonly reason: 'RoutesTie' | 'SpecUnreadable'
      /** Hosts, or an external id, that nobody else gets meanwhile; see `reservedBy`. */
      readonly reserves: readonly string[]
    })

export const protectedApiOf = (object: KubeObject): Said<Api> =>
  said(object, 'ProtectedApi', (parsed) => (parsed.kind === 'ProtectedApi' ? compileApi(parsed) : undefined))

export const accessNamespaceOf = (object: KubeObject): Said<AccessNamespace> =>
  said(object, 'AccessNamespace', (parsed) =>
    parsed.kind === 'AccessNamespace' ? { name: parsed.name, ...parsed.spec } : undefined,
  )

function said<T>(object: KubeObject, kind: string, take: (parsed: Manifest) => T | undefined): Said<T> {
  const { metadata, spec } = object
  return {
    uid: metadata.uid,
    createdAt: metadata.creationTimestamp,
    spec: JSON.stringify(spec ?? null),
    read: readPolicy(object, kind, take),
  }
}

/** A defect of ours in one object is one object set aside. */
export function readPolicy<T>(object: KubeObject, kind: string, take: (parsed: Manifest) => T | undefined): Read<T> {
  const { metadata, spec } = object
  const not = (problem: string): Read<T> => ({
    kind: 'unreadable',
    reason: 'SpecUnreadable',
    problem,
    reserves: reservedBy(kind, object),
  })
  try {
    const { name, namespace } = metadata
    const parsed = parseManifest({ apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec })
    if (!parsed.ok) {
      const { problems } = parsed
      return { ...not(inOneLine(problems)), ...(isTieAlone(problems) && { reason: 'RoutesTie' }) }
    }
    const value = take(parsed.manifest)
    return value === undefined ? not('it is of another kind') : { kind: 'read', value }
  } catch (error) {
    return not(`it can't be compiled: ${error instanceof Error ? error.name : 'unknown'}`)
  }
}

/** Whether the two decide alike. */
export const sameSaid = (a: Said<unknown> | undefined, b: Said<unknown> | undefined): boolean =>
  a?.uid === b?.uid && a?.spec === b?.spec && a?.createdAt === b?.createdAt

/** Who came first; of one second by their names. What is in force and what is said of it both go by this order. */
export const inOrder = <Dated extends { readonly createdAt: string }>(
  all: Iterable<readonly [string, Dated]>,
): readonly (readonly [string, Dated])[] =>
  [...all].sort(([a, one], [b, other]) =>
    one.createdAt === other.createdAt ? (a < b ? -1 : 1) : one.createdAt < other.createdAt ? -1 : 1,
  )
