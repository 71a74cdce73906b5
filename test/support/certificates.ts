/** Certificates of an authority that is made up for the test. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
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
import { temporaryFolder } from './process.ts'

export type Authority = {
  readonly caFile: string
  /** PEM, as in the file. */
  readonly ca: string
  /** For servers and clients, with host names and IP addresses; the first one is its subject. */
  readonly issue: (names: readonly string[], options?: IssueOptions) => Promise<ServerCertificate>
}

export type ServerCertificate = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
  /** Who issued it. */
  readonly caFile: string
}

export type IssueOptions = {
  /** An hour ago, unless told. */
  readonly notBefore?: Date
  /** In a day, unless told. */
  readonly notAfter?: Date
  /** A folder to write `tls.crt` and `tls.key` to, over what is there; a new one unless told. */
  readonly folder?: string
}

const HOUR_MS = 3_600_000
const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNED_BY = { name: 'ECDSA', hash: 'SHA-256' } as const

/** Files are removed at the end of the test file. */
export async function makeAuthority(name = 'Keyward test authority'): Promise<Authority> {
  const keys = await newKeys()
  const subject = `CN=${name}`
  const authority = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    signingAlgorithm: SIGNED_BY,
    ...validity({}),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  const caFile = join(temporaryFolder(), 'ca.crt')
  const ca = `${authority.toString('pem')}\n`
  writeFileSync(caFile, ca)

  const issue: Authority['issue'] = async (names, options = {}) => {
    const own = await newKeys()
    const issued = await X509CertificateGenerator.create({
      subject: `CN=${names[0] ?? 'nobody'}`,
      issuer: subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: SIGNED_BY,
      ...validity(options),
      extensions: [
        new BasicConstraintsExtension(false),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const),
        ),
      ],
    })
    const folder = options.folder ?? temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const cert = `${issued.toString('pem')}\n`
    const key = `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')}\n`
    writeFileSync(certFile, cert)
    writeFileSync(keyFile, key, { mode: 0o600 })
    return { certFile, keyFile, cert, key, caFile }
  }
  return { caFile, ca, issue }
}

const newKeys = () => webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify'])

function validity({ notBefore, notAfter }: IssueOptions): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
  }
}
