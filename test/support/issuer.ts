/** An authority that is made up, and the certificates that it issues, as PEM. Writes no files and knows no test runner. */
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
  X509CertificateGenerator,
} from '@peculiar/x509'

export type Issuer = {
  /** PEM. */
  readonly ca: string
  /** For servers and clients, with host names and IP addresses; the first one is its subject. */
  readonly issue: (names: readonly string[], validity?: Validity) => Promise<Issued>
}

/** PEM. */
export type Issued = { readonly cert: string; readonly key: string }

export type Validity = {
  /** An hour ago, unless told. */
  readonly notBefore?: Date
  /** In a day, unless told. */
  readonly notAfter?: Date
}

const HOUR_MS = 3_600_000
const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNED_BY = { name: 'ECDSA', hash: 'SHA-256' } as const

export async function makeIssuer(name: string): Promise<Issuer> {
  const keys = await newKeys()
  const subject = `CN=${name}`
  const authority = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    signingAlgorithm: SIGNED_BY,
    ...datesOf({}),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })

  const issue: Issuer['issue'] = async (names, validity = {}) => {
    const own = await newKeys()
    const issued = await X509CertificateGenerator.create({
      subject: `CN=${names[0] ?? 'nobody'}`,
      issuer: subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: SIGNED_BY,
      ...datesOf(validity),
      extensions: [
        new BasicConstraintsExtension(false),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
        ),
      ],
    })
    const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')
    return { cert: `${issued.toString('pem')}\n`, key: `${key}\n` }
  }
  return { ca: `${authority.toString('pem')}\n`, issue }
}

const newKeys = () => webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify'])

function datesOf({ notBefore, notAfter }: Validity): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
  }
}
