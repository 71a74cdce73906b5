/** PURE: an object's stamp as it lies in its metadata: where it belongs, how it is read, and the patch that puts it right. */
import type { Parsed } from '../core/parsed.ts'
import type { Person } from '../core/person.ts'
import { isObject } from '../resources/problem.ts'
import {
  ANNOTATIONS,
  composeStamp,
  type Place,
  type Stamp,
  type StampedKind,
  type StampKeys,
  verifyStamp,
} from './stamp.ts'

export type JsonPatch = readonly {
  readonly op: 'add' | 'remove'
  readonly path: string
  readonly value?: string | Readonly<Record<string, never>>
}[]

type Fields = Readonly<Record<string, unknown>>

const EMPTY: Fields = {}
const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : EMPTY)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** @param object as the API server holds it, in any state */
export function placeOf(kind: StampedKind, object: unknown, namespace: string): Place {
  const { metadata, spec } = fieldsOf(object)
  const { name, generateName } = fieldsOf(metadata)
  const { accessNamespace, environment } = fieldsOf(spec)
  const fixed = kind === 'ApiKeyClaim' ? spec : { accessNamespace, environment }
  return { kind, namespace, name: textOf(name), generateName: textOf(generateName), fixed }
}

/** Who made this object, as its stamp proves it. */
export function stampOf(kind: StampedKind, object: unknown, keys: StampKeys): Parsed<Stamp> {
  const { namespace, creationTimestamp } = fieldsOf(fieldsOf(object).metadata)
  const annotations = annotationsOf(object)
  const { name, stamp } = ANNOTATIONS[kind]
  const shown = {
    name: annotations.get(name),
    stamp: annotations.get(stamp),
    createdAt: Date.parse(textOf(creationTimestamp)),
  }
  if (!Number.isFinite(shown.createdAt)) return { ok: false, problem: 'it has no creationTimestamp' }
  return verifyStamp(shown, placeOf(kind, object, textOf(namespace)), keys)
}

type Made = { readonly object: unknown; readonly person: Person; readonly namespace: string; readonly now: number }

/** Stamps a new object, over whatever was brought along; undefined: the person does not fit into a stamp. */
export function stampNew(kind: StampedKind, made: Made, keys: StampKeys): JsonPatch | undefined {
  const { object, person, namespace, now } = made
  const stamp = composeStamp({ person, at: now }, placeOf(kind, object, namespace), keys)
  if (stamp === undefined) return undefined
  const names = ANNOTATIONS[kind]
  return setting(object, new Map([...everyAnnotation(), [names.name, person.username], [names.stamp, stamp]]))
}

/** Puts the stamp back that an edit changed, dropped or brought along. */
export function restoreStamp(before: unknown, after: unknown): JsonPatch {
  const was = annotationsOf(before)
  return setting(after, new Map(everyAnnotation().map(([name]) => [name, was.get(name)])))
}

/** A claim carries no creator, and a key no claimant: neither is to be mistaken for something. */
const everyAnnotation = (): [string, string | undefined][] =>
  Object.values(ANNOTATIONS).flatMap(({ name, stamp }) => [
    [name, undefined],
    [stamp, undefined],
  ])

function annotationsOf(object: unknown): ReadonlyMap<string, string> {
  const { annotations } = fieldsOf(fieldsOf(object).metadata)
  return new Map(Object.entries(fieldsOf(annotations)).map(([name, value]) => [name, textOf(value)]))
}

function setting(object: unknown, wanted: ReadonlyMap<string, string | undefined>): JsonPatch {
  const there = annotationsOf(object)
  const { annotations } = fieldsOf(fieldsOf(object).metadata)
  const changes = [...wanted].flatMap(([name, value]): JsonPatch => {
    const path = `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (there.get(name) === value) return []
    return value === undefined ? [{ op: 'remove', path }] : [{ op: 'add', path, value }]
  })
  const needsParent = !isObject(annotations) && changes.length > 0
  return needsParent ? [{ op: 'add', path: '/metadata/annotations', value: {} }, ...changes] : changes
}
