/** PURE: who has a host or an external id that several name: whoever has it keeps it, and of others the first gets it. */
import { externalKey, NAMESPACE_TYPES } from '../core/namespace.ts'
import type { KubeObject } from './objects.ts'

export type Holder = {
  readonly uid: string
  /** `namespace/name`, or `name` of what lies in no namespace. */
  readonly name: string
}

/** An object and what it names: hosts, or `type/externalId`. */
export type Naming = Holder & { readonly names: readonly string[] }

/** By what is named. */
export type Held = ReadonlyMap<string, Holder>

/**
 * Age alone would let an older object take a host by an edit from a younger one that serves it.
 * @param all in the order of who came first, which decides where nobody has it yet
 */
export function heldAfter(before: Held, all: readonly Naming[]): Held {
  const held = new Map<string, Holder>()
  for (const { uid, name, names } of all)
    for (const what of names) if (before.get(what)?.uid === uid) held.set(what, { uid, name })
  for (const { uid, name, names } of all) for (const what of names) if (!held.has(what)) held.set(what, { uid, name })
  return held
}

/** What can be read of an object that can't be read as a whole: it is kept for it, so that nobody takes it over meanwhile. */
export function reservedBy(kind: string, { metadata, spec }: KubeObject): readonly string[] {
  if (kind === 'ProtectedApi') return hostsIn(spec)
  if (kind !== 'AccessNamespace') return []
  const { type, externalId = metadata.name } = fieldsOf(spec)
  const known = NAMESPACE_TYPES.find((one) => one === type)
  return known === undefined || typeof externalId !== 'string' ? [] : [externalKey(known, externalId)]
}

function hostsIn(spec: unknown): readonly string[] {
  const hosts = listIn(fieldsOf(spec).environments).flatMap((one) => listIn(fieldsOf(one).hosts))
  return [...new Set(hosts.filter((host) => typeof host === 'string'))]
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
