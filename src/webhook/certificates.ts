/** Makes the webhooks' CA and serving certificate, and keeps them so that all replicas serve the same. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { unreachable } from '../core/parsed.ts'
import { Trouble } from '../core/trouble.ts'
import {
  AUTHORITY_LIFE_MS,
  BACKDATED_MS,
  type CertificateStep,
  certificateStep,
  isEarly,
  isSound,
  type Material,
  type Pair,
  SERVING_LIFE_MS,
} from './certificate-plan.ts'

/** One Secret of Keyward's own Kubernetes namespace. */
export type CertificateStore = {
  /** A live look; undefined: there is none, or nothing in it that can be read. */
  readonly read: () => Promise<{ readonly material: Material | undefined; readonly revision: string } | undefined>
  /** false: another replica was first. `over` undefined: there was none. */
  readonly write: (material: Material, over: string | undefined) => Promise<boolean>
}

export type CertificateParts = {
  readonly store: CertificateStore
  /** DNS names, and IP addresses; the first one is the subject. */
  readonly names: readonly string[]
  readonly now: () => number
  /** false: what is due is left to another replica, as long as there is something to serve. */
  readonly mayRenew: () => boolean
  /** What is served until now, if anything: callers still trust who signed it where all of it has to be made anew. */
  readonly served?: () => Material | undefined
}

/** More than there are steps in a row, and than replicas that could be first. */
const MOST_STEPS = 20

/** What is to be served now; made or renewed where that is due. */
export async function currentCertificates(parts: CertificateParts): Promise<Material> {
  const { store, names, now, mayRenew } = parts
  const served = parts.served?.()
  for (let i = 0; i < MOST_STEPS; i++) {
    const found = await store.read()
    const material = found?.material
    const step = certificateStep(material, names, now())
    const there = mayRenew() ? step === undefined && material : leftAlone({ material, served, names, now: now() })
    if (there) return there
    const made = await carriedOut(step ?? 'start', { material, names, now: now(), served })
    if ((await store.write(made, found?.revision)) && certificateStep(made, names, now()) === undefined) return made
  }
  throw new Trouble('certificates_contended', 'retry')
}

/** To be called once callers were told of a CA that is to sign: its time runs from then on, and it is kept, whoever leads later. */
export async function keepAnnounced({ store, now }: CertificateParts, told: Material): Promise<void> {
  if (told.next === undefined || told.announcedAt !== undefined) return
  const found = await store.read()
  const { material } = found ?? {}
  if (material?.next?.cert !== told.next.cert || material.announcedAt !== undefined) return
  // where another replica was first, it is looked at again
  await store.write({ ...material, announcedAt: now() }, found?.revision)
}

/** What a replica serves that leaves all work to another one; undefined: there is nothing, so it has to make something. */
function leftAlone({ material, served, names, now }: Ground): Material | undefined {
  // what somebody spoilt is mended by whoever leads, and is served by nobody until then
  if (material !== undefined && isSound(material, names, now)) return material
  if (served !== undefined || material === undefined) return served
  return certificateStep(material, names, now) === 'start' && !isEarly(material, now) ? undefined : material
}

type Ground = {
  readonly material: Material | undefined
  readonly names: readonly string[]
  readonly now: number
  readonly served: Material | undefined
}

const NO_NEXT = { next: undefined, announcedAt: undefined } as const

async function carriedOut(step: CertificateStep, { material, names, now, served }: Ground): Promise<Material> {
  if (material === undefined || step === 'start') {
    const authority = await newAuthority(now)
    const serving = await newServing(authority, names, now)
    return { authority, serving, ...NO_NEXT, previous: served?.authority.cert }
  }
  switch (step) {
    case 'announce':
      return { ...material, ...NO_NEXT, next: await newAuthority(now) }
    case 'promote': {
      const authority = material.next ?? (await newAuthority(now))
      const serving = await newServing(authority, names, now)
      return { authority, serving, ...NO_NEXT, previous: material.authority.cert }
    }
    case 'renew':
      return { ...material, serving: await newServing(material.authority, names, now) }
    case 'forget':
      return { ...material, previous: undefined }
    default:
      return unreachable(step)
  }
}

const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNED_BY = { name: 'ECDSA', hash: 'SHA-256' } as const

const newKeys = () => webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify'])

async function newAuthority(now: number): Promise<Pair> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // two CAs of one name would be mistaken for each other where both are trusted
    name: `CN=keyward-webhooks ${now}`,
    keys,
    signingAlgorithm: SIGNED_BY,
    ...lifetime(now, AUTHORITY_LIFE_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return pairOf(certificate, keys.privateKey)
}

async function newServing(authority: Pair, names: readonly string[], now: number): Promise<Pair> {
  const issuer = new X509Certificate(authority.cert)
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${names[0] ?? 'keyward'}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await importedKey(authority.key),
    signingAlgorithm: SIGNED_BY,
    ...lifetime(now, Math.min(SERVING_LIFE_MS, issuer.notAfter.getTime() - now)),
    extensions: [
      new BasicConstraintsExtension(false),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
      ),
    ],
  })
  return pairOf(certificate, keys.privateKey)
}

const lifetime = (now: number, ms: number) => ({
  notBefore: new Date(now - BACKDATED_MS),
  notAfter: new Date(now + ms),
})

const importedKey = (pem: string) =>
  webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), KEYS, false, ['sign'])

const pairOf = async (certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<Pair> => ({
  cert: `${certificate.toString('pem')}\n`,
  key: `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`,
})
