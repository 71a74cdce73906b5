/** PURE: who made a key or a claim, written where nobody can change it, and worth nothing anywhere else. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Parsed } from '../core/parsed.ts'
import type { Person } from '../core/person.ts'
import { isObject } from '../resources/problem.ts'

export type StampedKind = 'ApiKey' | 'ApiKeyClaim'

/** The name stands beside the stamp for people and for policies, which can't look into it. */
export const ANNOTATIONS = {
  ApiKey: { name: 'keyward.dev/creator', stamp: 'keyward.dev/creator-stamp' },
  ApiKeyClaim: { name: 'keyward.dev/claimant', stamp: 'keyward.dev/claimant-stamp' },
} as const satisfies Record<StampedKind, { readonly name: string; readonly stamp: string }>

/** Keys of the operator, at least 32 bytes each; the first one signs, all of them verify. */
export type StampKeys = readonly [Uint8Array, ...Uint8Array[]]

/** What a stamp is bound to. */
export type Place = {
  readonly kind: StampedKind
  readonly namespace: string
  /** Empty while the API server has not chosen one. */
  readonly name: string
  readonly generateName: string
  /** What of the spec never changes: a key's access namespace and environment, a claim's whole spec. */
  readonly fixed: unknown
}

export type Stamp = { readonly person: Person /** Milliseconds since 1970. */; readonly at: number }

/**
 * A uid does not exist yet when an object is stamped, and nothing may be written later. So the stamp names kind, Kubernetes
 * namespace, name, what never changes of the spec, and the moment; and it counts only for an object whose
 * `creationTimestamp`, which the API server alone writes, lies within this time of it. A copy on another object has another
 * name, and one on an object that was made again has another time.
 */
const STAMP_WINDOW_MS = 60_000

/** Of the text in a stamp, which names its person with groups and extra fields; in base64 it is a third more. */
export const MOST_STAMPED_KIB = 24
const MOST_OF_A_BODY = (MOST_STAMPED_KIB * 1024 * 4) / 3

const payload = z.strictObject({
  kind: z.enum(['ApiKey', 'ApiKeyClaim']),
  namespace: z.string(),
  name: z.string(),
  generateName: z.string(),
  fixed: z.string(),
  at: z.int(),
  username: z.string(),
  uid: z.string(),
  groups: z.array(z.string()),
  extra: z.record(z.string(), z.array(z.string())),
})

/** The annotation's text; undefined: the person has more groups and extras than an annotation should hold. */
export function composeStamp({ person, at }: Stamp, place: Place, [key]: StampKeys): string | undefined {
  const { kind, namespace, name, generateName, fixed } = place
  const said = { kind, namespace, name, generateName: name === '' ? generateName : '', fixed: canonical(fixed) }
  const body = Buffer.from(JSON.stringify({ ...said, at, ...person })).toString('base64url')
  return body.length > MOST_OF_A_BODY ? undefined : `v1.${body}.${mac(body, key).toString('base64url')}`
}

/** What the object shows; `name` is the annotation beside the stamp. */
export type Shown = {
  readonly stamp: string | undefined
  readonly name: string | undefined
  /** Milliseconds since 1970, as the API server wrote it. */
  readonly createdAt: number
}

/** A replica may have exchanged the key, and this one not read it yet. */
export const FOREIGN_KEY = 'its stamp was not made with the key of this operator'

const FORM = new RegExp(`^v1\\.([A-Za-z0-9_-]{1,${MOST_OF_A_BODY}})\\.([A-Za-z0-9_-]{43})$`)

/** Who made it; or why the stamp proves nothing. */
export function verifyStamp(shown: Shown, place: Place, keys: StampKeys): Parsed<Stamp> {
  const { stamp, name, createdAt } = shown
  if (stamp === undefined) return { ok: false, problem: 'it was not stamped: the admission webhook was not there' }
  const [, body, signature] = FORM.exec(stamp) ?? []
  if (body === undefined || signature === undefined) return { ok: false, problem: 'its stamp has not the right form' }
  const given = Buffer.from(signature, 'base64url')
  if (!keys.some((key) => timingSafeEqual(mac(body, key), given))) {
    return { ok: false, problem: FOREIGN_KEY }
  }
  const read = payload.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  if (!read.success) return { ok: false, problem: 'its stamp has not the right form' }
  const { kind, namespace, name: stampedName, generateName, fixed, at, ...person } = read.data
  if (kind !== place.kind || namespace !== place.namespace || !isNamed(place.name, stampedName, generateName)) {
    return { ok: false, problem: 'its stamp was made for another object' }
  }
  if (fixed !== canonical(place.fixed)) return { ok: false, problem: 'its stamp was made for another spec' }
  if (Math.abs(createdAt - at) > STAMP_WINDOW_MS) {
    const apart = Math.round(Math.abs(createdAt - at) / 1000)
    return {
      ok: false,
      problem: `its stamp was made ${apart} s away from its creation, for another object of this name`,
    }
  }
  if (name !== person.username) return { ok: false, problem: 'the name beside its stamp is another one' }
  return { ok: true, value: { person, at } }
}

const mac = (body: string, key: Uint8Array): Buffer =>
  createHmac('sha256', key).update(`keyward stamp v1\n${body}`).digest()

/** What the API server adds to a `generateName`, after it has cut it so that all of it is no longer than a DNS label. */
const DRAWN = 5
const LONGEST_GENERATED = 63

function isNamed(name: string, stamped: string, generateName: string): boolean {
  if (stamped !== '') return name === stamped
  const isMadeOf = (prefix: string) => name.startsWith(prefix) && name.length === prefix.length + DRAWN
  return isMadeOf(generateName) || isMadeOf(generateName.slice(0, LONGEST_GENERATED - DRAWN))
}

/** JSON with sorted names, since the order of fields means nothing; absent and undefined are the same. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const fields = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .sort()
  return `{${fields.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}
