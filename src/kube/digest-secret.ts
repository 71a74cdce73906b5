/**
 * PURE: the Secret that keeps the digests of one key, in Keyward's own Kubernetes namespace: how it is named, written and
 * read. What does not agree with itself in every part is not read at all, and opens nothing.
 */
import { environmentOf, type KeyId, parseKeyId } from '../core/credential.ts'
import { ENVIRONMENT_CODES } from '../core/environment.ts'
import type { Parsed } from '../core/parsed.ts'
import { encodeKeySecret, type KeySecret, parseKeySecret } from '../resources/key-secret.ts'
import { isObject } from '../resources/problem.ts'
import type { KubeObject } from './objects.ts'

export const DIGEST_SECRET_TYPE = 'keyward.dev/key-digest'
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'keyward' } as const
export const UID_LABEL = 'keyward.dev/api-key-uid'
/** Where to look for its ApiKey; nothing but a live look there ever follows from it. */
export const NAME_ANNOTATION = 'keyward.dev/api-key'
const HANDING_TO = 'keyward.dev/handing-to'

/** What the ApiKey asked for when that was last granted: its spec as it was written. */
export type Granted = { readonly generation: number; readonly spec: Readonly<Record<string, unknown>> }

/** Whom a version that is stored and not confirmed was made for. */
export type HandingTo =
  | { readonly kind: 'claim'; readonly name: string; readonly uid: string; readonly claimant: string }
  | { readonly kind: 'workloadSecret'; readonly name: string; readonly attempt: string; readonly claimant: string }

export type DigestSecret = {
  readonly secret: KeySecret
  /** undefined: nothing that can be read, so the key opens nothing until it is granted anew. */
  readonly granted: Granted | undefined
  readonly handingTo: HandingTo | undefined
}

/** One digest Secret as it is on the cluster. */
export type DigestRead = {
  readonly object: { readonly name: string; readonly uid: string; readonly resourceVersion: string }
  /** Of the ApiKey, as the label says; undefined: it says none. */
  readonly apiKeyUid: string | undefined
  /** By the name of the Secret; undefined: it is the name of none. */
  readonly keyId: KeyId | undefined
  /** `namespace/name` of the ApiKey, as far as that is said. */
  readonly apiKeyName: string | undefined
  /** RFC 3339. */
  readonly createdAt: string
  readonly read: Parsed<DigestSecret>
}

/** A name that is a DNS name: upper and lower case stay apart. `kw-prod-` and the 12 characters in hex. */
export function digestSecretName(keyId: KeyId): string {
  const code = ENVIRONMENT_CODES[environmentOf(keyId)]
  return `kw-${code}-${Buffer.from(keyId.slice(-ID_LENGTH), 'latin1').toString('hex')}`
}

export function keyIdOfName(name: string): KeyId | undefined {
  const [, code, hex] = NAME.exec(name) ?? []
  if (code === undefined || hex === undefined) return undefined
  const parsed = parseKeyId(`kw_${code}_${Buffer.from(hex, 'hex').toString('latin1')}`)
  return parsed.ok ? parsed.value : undefined
}

const ID_LENGTH = 12
const NAME = /^kw-(prod|stag|dev)-([0-9a-f]{24})$/

/** As it is to be stored; `object`: over which one, undefined for a new one. */
export function writeDigestSecret(
  { secret, granted, handingTo }: DigestSecret,
  at: { readonly namespace: string; readonly over: DigestRead['object'] | undefined },
): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: DIGEST_SECRET_TYPE,
    metadata: {
      name: digestSecretName(secret.keyId),
      namespace: at.namespace,
      ...(at.over && { uid: at.over.uid, resourceVersion: at.over.resourceVersion }),
      labels: { ...MANAGED_BY, [UID_LABEL]: secret.uid },
      annotations: {
        [NAME_ANNOTATION]: secret.name,
        ...(handingTo && { [HANDING_TO]: JSON.stringify(handingTo) }),
      },
    },
    data: {
      record: base64(encodeKeySecret(secret)),
      ...(granted && { granted: base64(JSON.stringify({ generation: granted.generation, spec: granted.spec })) }),
    },
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Never throws: what can't be read says why. */
export function readDigestSecret(object: KubeObject): DigestRead {
  const { name, uid, resourceVersion, labels, annotations, creationTimestamp } = object.metadata
  const read = readWhole(object)
  return {
    object: { name, uid, resourceVersion },
    apiKeyUid: labels?.[UID_LABEL],
    keyId: keyIdOfName(name),
    apiKeyName: read.ok ? read.value.secret.name : annotations?.[NAME_ANNOTATION],
    createdAt: creationTimestamp,
    read,
  }
}

function readWhole(object: KubeObject): Parsed<DigestSecret> {
  const { type, metadata } = object
  const data = isObject(object.data) ? object.data : {}
  if (type !== DIGEST_SECRET_TYPE) return { ok: false, problem: `its type is not ${DIGEST_SECRET_TYPE}` }
  const record = parseKeySecret(textOf(data.record) ?? '')
  if (!record.ok) return { ok: false, problem: `record: ${record.problem}` }
  const secret = record.value
  if (keyIdOfName(metadata.name) !== secret.keyId) return { ok: false, problem: 'its name is not that of its key ID' }
  if (metadata.labels?.[UID_LABEL] !== secret.uid)
    return { ok: false, problem: `its label ${UID_LABEL} says another uid` }
  const handingTo = parseHandingTo(metadata.annotations?.[HANDING_TO])
  return { ok: true, value: { secret, granted: parseGranted(textOf(data.granted)), handingTo } }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function parseGranted(text: string | undefined): Granted | undefined {
  const value = parseJson(text)
  if (!isObject(value) || typeof value.generation !== 'number' || !isObject(value.spec)) return undefined
  return { generation: value.generation, spec: value.spec }
}

function parseHandingTo(text: string | undefined): HandingTo | undefined {
  const value = parseJson(text)
  if (!isObject(value)) return undefined
  const { kind, name, uid, attempt, claimant } = value
  if (typeof name !== 'string' || typeof claimant !== 'string') return undefined
  if (kind === 'claim' && typeof uid === 'string') return { kind, name, uid, claimant }
  if (kind === 'workloadSecret' && typeof attempt === 'string') return { kind, name, attempt, claimant }
  return undefined
}
