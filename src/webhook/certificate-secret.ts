/** Certificates, and the key of stamps, as the data of Secrets that all replicas share. */
import { X509Certificate } from 'node:crypto'
import { Trouble } from '../core/trouble.ts'
import { isObject } from '../resources/problem.ts'
import type { Material, Pair } from './certificate-plan.ts'
import { bundleOf } from './certificate-plan.ts'
import type { CertificateStore } from './certificates.ts'
import type { StampKeys } from './stamp.ts'

/** Only in the operator's own Kubernetes namespace; the shipped policy lets the operator write no other there. */
export const OPERATOR_SECRET_TYPE = 'keyward.dev/operator'

export const CERTIFICATES_SECRET = 'keyward-webhook-certificates'
export const STAMP_KEY_SECRET = 'keyward-stamp-key'

const STAMP_KEY_BYTES = 32

type Data = Readonly<Record<string, string>>

/** A Secret by its name; data is in base64, as the API server has it. */
export type SecretPort = {
  readonly read: () => Promise<{ readonly data: unknown; readonly revision: string } | undefined>
  /** false: another replica was first. @param over undefined: there was none */
  readonly write: (data: Data, over: string | undefined) => Promise<boolean>
}

export const certificateStore = (secret: SecretPort): CertificateStore => ({
  read: async () => {
    const found = await secret.read()
    return found && { material: decodeMaterial(found.data), revision: found.revision }
  },
  write: (material, over) => secret.write(encodeMaterial(material), over),
})

export type StampKeyParts = {
  readonly random: (bytes: number) => Uint8Array
  /** Whether any key is kept by now, and so was stamped: then another one is not made in silence, since it would void them all. */
  readonly keepsKeys: () => Promise<boolean>
}

/** The keys of all replicas; made by whichever comes first. */
export async function sharedStampKeys(secret: SecretPort, parts: StampKeyParts): Promise<StampKeys> {
  const found = await secret.read()
  if (found === undefined) {
    if (await parts.keepsKeys()) throw new Trouble('stamp_key_lost', 'stop')
    const made = parts.random(STAMP_KEY_BYTES)
    return (await secret.write(encodeStampKeys([made]), undefined)) ? [made] : sharedStampKeys(secret, parts)
  }
  const keys = decodeStampKeys(found.data)
  // never made anew over what is there: every stamp there is hangs on it
  if (keys === undefined) throw new Trouble('stamp_key_unreadable', 'stop')
  return keys
}

/**
 * The keys of now; what is in force goes on where they can't be read, and is written anew where the Secret was taken away:
 * every stamp there is hangs on it.
 */
export async function stampKeysAfter(keys: StampKeys, secret: SecretPort, mayWrite: () => boolean): Promise<StampKeys> {
  const found = await secret.read()
  if (found !== undefined) return decodeStampKeys(found.data) ?? keys
  if (mayWrite()) await secret.write(encodeStampKeys(keys), undefined)
  return keys
}

export const encodeMaterial = (material: Material): Data =>
  encoded({
    'tls.crt': material.serving.cert,
    'tls.key': material.serving.key,
    'ca.crt': material.authority.cert,
    'ca.key': material.authority.key,
    'next-ca.crt': material.next?.cert,
    'next-ca.key': material.next?.key,
    'next-ca.announced': material.announcedAt === undefined ? undefined : new Date(material.announcedAt).toISOString(),
    'previous-ca.crt': material.previous,
    'ca-bundle.crt': bundleOf(material),
  })

/** undefined: something of it is missing or is no certificate: it is made anew. */
export function decodeMaterial(data: unknown): Material | undefined {
  const [serving, authority] = [pairIn(data, 'tls'), pairIn(data, 'ca')]
  if (serving === undefined || authority === undefined) return undefined
  const [next, previous] = [pairIn(data, 'next-ca'), certificateIn(data, 'previous-ca.crt')]
  const announcedAt = Date.parse(textIn(data, 'next-ca.announced') ?? '')
  return { serving, authority, next, announcedAt: Number.isFinite(announcedAt) ? announcedAt : undefined, previous }
}

function pairIn(data: unknown, name: string): Pair | undefined {
  const [cert, key] = [certificateIn(data, `${name}.crt`), textIn(data, `${name}.key`)]
  return cert === undefined || key === undefined ? undefined : { cert, key }
}

function certificateIn(data: unknown, name: string): string | undefined {
  const text = textIn(data, name)
  try {
    return text === undefined || new X509Certificate(text).validTo === '' ? undefined : text
  } catch {
    return undefined
  }
}

const encodeStampKeys = ([key, previous]: StampKeys): Data => ({
  key: Buffer.from(key).toString('base64'),
  ...(previous && { previous: Buffer.from(previous).toString('base64') }),
})

/** undefined: not a key of ours. */
function decodeStampKeys(data: unknown): StampKeys | undefined {
  const [key, previous] = ['key', 'previous'].map((name) => keyIn(data, name))
  if (key === undefined) return undefined
  return previous === undefined ? [key] : [key, previous]
}

function keyIn(data: unknown, name: string): Buffer | undefined {
  const value = isObject(data) ? data[name] : undefined
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined
  return bytes?.length === STAMP_KEY_BYTES ? bytes : undefined
}

const encoded = (texts: Readonly<Record<string, string | undefined>>): Data =>
  Object.fromEntries(
    Object.entries(texts).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, Buffer.from(text).toString('base64')]],
    ),
  )

function textIn(data: unknown, name: string): string | undefined {
  const value = isObject(data) ? data[name] : undefined
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined
}
