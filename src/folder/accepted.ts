/** What a folder of manifests has in force, the port that keeps it over restarts, and what can be wrong with a folder. */
import type { Manifest } from '../resources/manifest.ts'

/** The last form of an object that was accepted. */
export type Accepted = {
  readonly kind: string
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  /** New for an object that was removed and made again. */
  readonly uid: string
  /** Rises when the spec changes. */
  readonly generation: number
  /** As JSON, as it was read. */
  readonly manifest: unknown
  /** Where it was read, relative to the folder; empty for what was given over the API of standalone. */
  readonly file: string
  readonly line: number
  /** Milliseconds since 1970; who came first has a host or an external id. */
  readonly firstSeenMs: number
}

/** What no file speaks of stays until it is taken back where it was given. */
export const isFromFile = ({ file }: Pick<Accepted, 'file'>): boolean => file !== ''

export type AcceptedChange = { readonly kind: 'put' | 'remove'; readonly accepted: Accepted }

/** Where accepted forms outlive the process. */
export type AcceptedForms = {
  readonly all: () => readonly Accepted[]
  /** One transaction, durable when it returns. */
  readonly apply: (changes: readonly AcceptedChange[]) => void
}

export type FolderProblem = {
  /** Relative to the folder; empty for the folder itself. */
  readonly file: string
  /** 0 where there is no line to name. */
  readonly line: number
  /** `spec.permissions[0]`; empty for the whole. */
  readonly field: string
  readonly message: string
  /** `ApiKey team-web/main-website`; empty where it can't be told. */
  readonly object: string
  /** error: what this place says is not in force; warning: it is, but something that it needs is missing. */
  readonly severity: 'error' | 'warning'
}

export type Snapshot = {
  /** By `Kind/namespace/name`, in the order of who came first. */
  readonly accepted: ReadonlyMap<string, Accepted & { readonly parsed: Manifest }>
  /** By file and line. */
  readonly problems: readonly FolderProblem[]
  /** Since the snapshot before. */
  readonly changed: readonly AcceptedChange[]
  /** Problems to tell of for the first time, and those that are over. */
  readonly reported: readonly FolderProblem[]
  readonly solved: readonly FolderProblem[]
}

type Named = { readonly kind: string; readonly namespace?: string | undefined; readonly name: string }

/** `ApiKey/team-web/main-website`, `AccessNamespace//acme`: one object's place in maps. */
export const objectKey = ({ kind, namespace = '', name }: Named): string => `${kind}/${namespace}/${name}`

/** `ApiKey team-web/main-website`, `AccessNamespace acme`: one object as people read it. */
export const titleOf = ({ kind, namespace = '', name }: Named): string =>
  namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`

type Place = Pick<Accepted, 'file' | 'line'>

/** By file, then line. */
export const byPlace = (a: Place, b: Place): number => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line)

/** Who came first; objects of one moment by their places. */
export const byArrival = (a: Place & { firstSeenMs: number }, b: Place & { firstSeenMs: number }): number =>
  a.firstSeenMs - b.firstSeenMs || byPlace(a, b)
