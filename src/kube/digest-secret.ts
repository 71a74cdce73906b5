/**
 * PURE: the Secret that keeps the digests of one key, in Keyward's own Kubernetes namespace: how it is named, written and
 * read. What does not agree with itself in every part is not read at all, and opens nothing.
 */
import type { Cap } from '../core/cap.ts'
import { environmentOf, type KeyId, parseKeyId } from '../core/credential.ts'
import { ENVIRONMENT_CODES } from '../core/environment.ts'
import type { Parsed } from '../core/parsed.ts'
import { encodeKeySecret, type KeySecret, parseKeySecret } from '../resources/key-secret.ts'
import { isObject } from '../resources/problem.ts'
import { type Claimants, encodeClaimants, NO_CLAIMANTS, parseCap, parseClaimants } from './kept-people.ts'
import type { KubeObject } from './objects.ts'

export const DIGEST_SECRET_TYPE = 'keyward.dev/key-digest'
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'keyward' } as const
const UID_LABEL = 'keyward.dev/api-key-uid'
/** Where to look for its ApiKey; nothing but a live look there ever follows from it. */
const NAME_ANNOTATION = 'keyward.dev/api-key'
const HANDING_TO = 'keyward.dev/handing-to'

/**
 * What the ApiKey asked for when that was last granted, its spec as it was written, and how far everybody behind the key went
 * with it. On a cluster somebody always caps: a grant that does not say how far is none.
 */
export type Granted = {
  readonly generation: number
  readonly spec: Readonly<Record<string, unknown>>
  readonly cap: Cap
}

/** Whom a version that is stored and not confirmed was made for. */
export type HandingTo =
  | { readonly kind: 'claim'; readonly name: string; readonly uid: string; readonly claimant: string }
  | { readonly kind: 'workloadSecret'; readonly name: string; readonly attempt: string; readonly claimant: string }

export type DigestSecret = {
  readonly secret: KeySecret
  /** undefined: nothing that can be read, so the key opens nothing until it is granted anew. */
  readonly granted: Granted | undefined
  /** Of versions that are kept; none of one that went to a workload or was imported. */
  readonly claimants: Claimants
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
  { secret, granted, claimants, handingTo }: DigestSecret,
  at: { readonly namespace: string; readonly over: DigestRead['object'] | undefined },
): Readonly<Record<string, unknown>> {
  const received = encodeClaimants(claimants)
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
      ...(granted && { granted: base64(grantedText(granted)) }),
      ...(received !== undefined && { claimants: base64(received) }),
    },
  }
}

const grantedText = ({ generation, spec, cap }: Granted): string =>
  JSON.stringify({ generation, spec, cap: { held: cap.held, within: cap.within } })

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
  const claimants = data.claimants === undefined ? NO_CLAIMANTS : parseClaimants(parseJson(textOf(data.claimants)))
  if (claimants === undefined) return { ok: false, problem: 'claimants: not as they were written' }
  return { ok: true, value: { secret, granted: parseGranted(textOf(data.granted)), claimants, handingTo } }
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
  const cap = parseCap(value.cap)
  return cap && { generation: value.generation, spec: value.spec, cap }
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
