/** ProtectedApis and AccessNamespaces in force: an edit takes nothing from others, and a bad one leaves what was before. */
import { compileHosts, type HostTable } from '../core/host.ts'
import {
  type AccessNamespace,
  buildTree,
  externalKey,
  type NamespaceProblem,
  type NamespaceTree,
} from '../core/namespace.ts'
import type { Api } from '../core/route.ts'
import { hostClaims, hostProblems } from '../resources/host-claims.ts'
import { type Held, type Holder, heldAfter, type Naming } from './holders.ts'
import { inOrder, type Said, sameSaid } from './policy.ts'
import { inOneLine, type SetAside } from './set-aside.ts'

export type PolicyInForce<T, Compiled> = {
  /** Told of every change. @returns whether it is about more than a status */
  readonly changed: (key: string, now: Said<T> | undefined, before: Said<T> | undefined) => boolean
  readonly compile: (all: Iterable<readonly [string, Said<T>]>) => Compiled
}

/** A host belongs to who has it, for as long as that names it. */
export function hostsInForce(setAside: Pick<SetAside, 'noteAll'>): PolicyInForce<Api, HostTable> {
  const last = lastReadable<Api>()
  let held: Held = new Map()
  return {
    changed: changedIn(last),
    compile: (all) => {
      const ordered = last.inOrder(all)
      held = hostsHeld(held, ordered)
      const apis = valuesOf(ordered)
      const { hosts, conflicts } = compileHosts(apis, held)
      const problems = problemsOf(ordered)
      for (const [api, taken] of hostProblems(apis, conflicts)) problems.set(api, both(problems.get(api), taken))
      setAside.noteAll('ProtectedApi', problems)
      return hosts
    },
  }
}

/** An external id belongs to who has it in the tree; one that has no place there takes none. */
export function treeInForce(setAside: Pick<SetAside, 'noteAll'>): PolicyInForce<AccessNamespace, NamespaceTree> {
  const last = lastReadable<AccessNamespace>()
  let held: Held = new Map()
  return {
    changed: changedIn(last),
    compile: (all) => {
      const ordered = last.inOrder(all)
      const placed = placesIn(held, ordered)
      held = placed.held
      const problems = problemsOf(ordered)
      for (const { name, field, problem } of placed.misfits) {
        problems.set(name, both(problems.get(name), [{ field: `spec.${field}`, message: problem }]))
      }
      setAside.noteAll('AccessNamespace', problems)
      return placed.tree
    },
  }
}

type Placed = {
  readonly tree: NamespaceTree
  readonly misfits: readonly NamespaceProblem[]
  readonly held: Held
}

/** Who has a place in the tree, and whose each external id is from now on. */
export function placesIn(held: Held, ordered: readonly Standing<AccessNamespace>[]): Placed {
  const out = new Set(ordered.flatMap(({ uid, value }) => (value === undefined ? [uid] : [])))
  const wanted = heldAfter(held, ordered.map(namingOf(idsOf)))
  const kept = new Map([...wanted].filter(([id, { uid }]) => held.get(id)?.uid === uid || out.has(uid)))
  const { tree, problems } = buildTree(valuesOf(ordered), kept)
  return { tree, misfits: problems, held: new Map([...kept, ...idsInTree(tree, ordered)]) }
}

type Hosting = Pick<Api, 'environments'>

/** Whose each host is from now on. */
export const hostsHeld = (held: Held, ordered: readonly Standing<Hosting>[]): Held =>
  heldAfter(held, ordered.map(namingOf(hostsOf)))

/** @param value undefined: it never could be read */
export type Standing<T> = Holder & {
  readonly value: T | undefined
  readonly problem: string | undefined
  readonly reserves: readonly string[]
}

type Readable<T> = Pick<Said<T>, 'uid' | 'createdAt' | 'read'>

export type LastReadable<T> = ReturnType<typeof lastReadable<T>>

/** Objects as they could be read last: an edit that can't be read leaves what was before. */
export function lastReadable<T>() {
  const last = new Map<string, { readonly uid: string; readonly value: T }>()

  const standing = ([name, { uid, read }]: readonly [string, Readable<T>]): Standing<T> => {
    if (read.kind === 'read') return { name, uid, value: read.value, problem: undefined, reserves: [] }
    const { problem, reserves } = read
    const before = last.get(name)
    if (before?.uid !== uid) return { name, uid, value: undefined, problem, reserves }
    return { name, uid, value: before.value, problem: `${problem}; until then it goes on as it was before`, reserves }
  }

  return {
    of: (key: string): T | undefined => last.get(key)?.value,
    all: (): readonly T[] => [...last.values()].map(({ value }) => value),
    /** Told of every change. */
    remember: (key: string, now: Readable<T> | undefined): void => {
      if (now?.read.kind === 'read') last.set(key, { uid: now.uid, value: now.read.value })
      else if (now?.uid !== last.get(key)?.uid) last.delete(key)
    },
    inOrder: (all: Iterable<readonly [string, Readable<T>]>): readonly Standing<T>[] => inOrder(all).map(standing),
  }
}

const changedIn =
  <T>(last: Pick<LastReadable<T>, 'remember'>): PolicyInForce<T, unknown>['changed'] =>
  (key, now, before) => {
    last.remember(key, now)
    return !sameSaid(now, before)
  }

const namingOf =
  <T>(namesOf: (value: T) => readonly string[]) =>
  ({ uid, name, value, reserves }: Standing<T>): Naming => ({
    uid,
    name,
    names: value === undefined ? reserves : namesOf(value),
  })

const hostsOf = (api: Hosting): readonly string[] => hostClaims(api).map(({ host }) => host)
const idsOf = ({ type, externalId }: AccessNamespace): readonly string[] => [externalKey(type, externalId)]

export const valuesOf = <T>(all: readonly Standing<T>[]): readonly T[] =>
  all.flatMap(({ value }) => (value === undefined ? [] : [value]))

const problemsOf = (all: readonly Standing<unknown>[]): Map<string, string> =>
  new Map(all.flatMap(({ name, problem }) => (problem === undefined ? [] : [[name, problem] as const])))

const both = (one: string | undefined, more: Parameters<typeof inOneLine>[0]): string =>
  one === undefined ? inOneLine(more) : `${one}; ${inOneLine(more)}`

const idsInTree = (tree: NamespaceTree, all: readonly Standing<AccessNamespace>[]): [string, Holder][] =>
  all.flatMap(({ uid, name, value }) =>
    value === undefined || tree.get(name) === undefined
      ? []
      : idsOf(value).map((id): [string, Holder] => [id, { uid, name }]),
  )
