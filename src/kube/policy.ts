/** ProtectedApis and AccessNamespaces as decisions read them: hosts and the tree, each exchanged as a whole. */
import { compileHosts, type HostTable } from '../core/host.ts'
import { type AccessNamespace, buildTree, type NamespaceTree } from '../core/namespace.ts'
import type { Api } from '../core/route.ts'
import { API_VERSION } from '../resources/common.ts'
import { type Manifest, parseManifest } from '../resources/manifest.ts'
import { compileApi } from '../resources/protected-api.ts'
import type { Unreadable } from './kept-key.ts'
import type { KubeObject } from './objects.ts'
import { inOneLine, type SetAside } from './set-aside.ts'

/** One of these objects, as far as it decides. */
export type Said<T> = {
  readonly createdAt: string
  /** JSON of its spec: whether an event is about more than its status. */
  readonly spec: string
  readonly read: Read<T>
}

type Read<T> = { readonly kind: 'read'; readonly value: T } | Unreadable

export const protectedApiOf = (object: KubeObject): Said<Api> =>
  said(object, 'ProtectedApi', (parsed) => (parsed.kind === 'ProtectedApi' ? compileApi(parsed) : undefined))

export const accessNamespaceOf = (object: KubeObject): Said<AccessNamespace> =>
  said(object, 'AccessNamespace', (parsed) =>
    parsed.kind === 'AccessNamespace' ? { name: parsed.name, ...parsed.spec } : undefined,
  )

function said<T>(object: KubeObject, kind: string, take: (parsed: Manifest) => T | undefined): Said<T> {
  const { metadata, spec } = object
  return {
    createdAt: metadata.creationTimestamp,
    spec: JSON.stringify(spec ?? null),
    read: read(object, kind, take),
  }
}

/** A defect of ours in one object is one object set aside. */
function read<T>({ metadata, spec }: KubeObject, kind: string, take: (parsed: Manifest) => T | undefined): Read<T> {
  try {
    const { name, namespace } = metadata
    const parsed = parseManifest({ apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec })
    if (!parsed.ok) return { kind: 'unreadable', problem: inOneLine(parsed.problems) }
    const value = take(parsed.manifest)
    return value === undefined ? { kind: 'unreadable', problem: 'it is of another kind' } : { kind: 'read', value }
  } catch (error) {
    return { kind: 'unreadable', problem: `it can't be compiled: ${error instanceof Error ? error.name : 'unknown'}` }
  }
}

/** Whether the two decide alike. */
export const sameSaid = (a: Said<unknown> | undefined, b: Said<unknown> | undefined): boolean =>
  a?.spec === b?.spec && a?.createdAt === b?.createdAt

type All<T> = Iterable<readonly [string, Said<T>]>

/** Where two name one host the older has it. */
export function hostsOf(all: All<Api>, setAside: SetAside): HostTable {
  const { readable, problems } = apart(all)
  const { hosts, conflicts } = compileHosts(readable)
  for (const { api, host, holder } of conflicts) {
    problems.set(api, `host ${host} belongs to ProtectedApi ${holder}, which was there before`)
  }
  setAside.noteAll('ProtectedApi', problems)
  return hosts
}

/** Where two claim one external id the older has it. */
export function treeOf(all: All<AccessNamespace>, setAside: SetAside): NamespaceTree {
  const { readable, problems } = apart(all)
  const built = buildTree(readable)
  for (const { name, field, problem } of built.problems) problems.set(name, `spec.${field}: ${problem}`)
  setAside.noteAll('AccessNamespace', problems)
  return built.tree
}

function apart<T>(all: All<T>): { readonly readable: readonly T[]; readonly problems: Map<string, string> } {
  const ordered = [...all].sort(([a, one], [b, other]) =>
    one.createdAt === other.createdAt ? (a < b ? -1 : 1) : one.createdAt < other.createdAt ? -1 : 1,
  )
  const problems = new Map<string, string>()
  const readable: T[] = []
  for (const [name, { read }] of ordered) {
    if (read.kind === 'read') readable.push(read.value)
    else problems.set(name, read.problem)
  }
  return { readable, problems }
}
