/** What the commands need of a cluster; whatever it refuses is thrown as Refused. */
import type { HostTable } from '../core/host.ts'
import type { NamespaceTree } from '../core/namespace.ts'

/** An object as the API server has it; nothing of it is trusted to be there. */
export type Stored = {
  readonly apiVersion?: string | undefined
  readonly kind?: string | undefined
  readonly metadata: {
    readonly name: string
    readonly namespace?: string | undefined
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number | undefined
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string | undefined
    readonly labels?: Readonly<Record<string, string>> | undefined
    readonly annotations?: Readonly<Record<string, string>> | undefined
  }
  readonly [field: string]: unknown
}

export type Draft = {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

const READ_KINDS = [
  'apikeys',
  'apikeyclaims',
  'accessnamespaces',
  'protectedapis',
  'namespaces',
  'events',
  'pods',
] as const
export type ReadKind = (typeof READ_KINDS)[number]

export type Ref = { readonly namespace: string; readonly name: string }

export type Choice = {
  /** undefined: all of them. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

/** Asked of the API server and carried out by nobody. */
export type Trial = { readonly dryRun?: boolean | undefined }

/** One permission on one access namespace, as RBAC has it: the permission is the verb. */
export type Grant = { readonly accessNamespace: string | undefined; readonly permission: string }

/** A rule of RBAC that holds for whoever asks. */
export type Rule = {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
}

/** What decides besides the keys, as it is in force for whoever begins now. */
export type Policy = {
  readonly hosts: HostTable
  readonly tree: NamespaceTree
  /** `ProtectedApi team/main: why`, of what is set aside. */
  readonly problems: readonly string[]
}

/** A port of a pod. */
export type PodPort = Ref & { readonly port: number }

/** What a process answered that we asked, whatever it is; a body that is no JSON is undefined. */
export type Heard = { readonly status: number; readonly body: unknown }

export type Cluster = {
  /** The Kubernetes namespace that goes with the context. */
  readonly namespace: string
  /** undefined: there is none. */
  readonly get: (kind: ReadKind, ref: Ref) => Promise<Stored | undefined>
  readonly list: (kind: ReadKind, choice: Choice) => Promise<readonly Stored[]>
  readonly create: (
    kind: 'apikeys' | 'apikeyclaims',
    ref: { readonly namespace: string },
    what: Draft & Trial,
  ) => Promise<Stored>
  /** JSON merge patch; a uid and a resourceVersion in its metadata are preconditions. */
  readonly patchKey: (ref: Ref, patch: object, trial?: Trial) => Promise<Stored>
  /** `changed`: it is not what it was at that resourceVersion. */
  readonly removeClaim: (
    ref: Ref,
    was: { readonly uid: string; readonly resourceVersion?: string },
  ) => Promise<'removed' | 'absent' | 'changed'>
  /** A Secret of one's own, made and never overwritten. What is refused of it is told without the server's words, which may quote it. */
  readonly createSecret: (ref: Ref, data: Readonly<Record<string, string>>, trial?: Trial) => Promise<void>
  readonly mayGrant: (grant: Grant) => Promise<boolean>
  /** Of a Kubernetes namespace, and cluster-wide. */
  readonly rules: (namespace: string) => Promise<readonly Rule[]>
  /** Asks a pod through the API server, which refuses by itself what one may not ask, or can't reach. */
  readonly throughPod: (pod: PodPort, path: string) => Promise<Heard>
  /** ProtectedApis and AccessNamespaces that were listed, read as enforcement reads them. */
  readonly policyOf: (apis: readonly Stored[], namespaces: readonly Stored[]) => Policy
  readonly close: () => Promise<void>
}
