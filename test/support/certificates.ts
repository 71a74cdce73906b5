/** Certificates of an authority that is made up for the test, in files. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeIssuer, type Validity } from './issuer.ts'
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

export type IssueOptions = Validity & {
  /** A folder to write `tls.crt` and `tls.key` to, over what is there; a new one unless told. */
  readonly folder?: string
}

/** Files are removed at the end of the test file. */
export async function makeAuthority(name = 'Keyward test authority'): Promise<Authority> {
  const issuer = await makeIssuer(name)
  const { ca } = issuer
  const caFile = join(temporaryFolder(), 'ca.crt')
  writeFileSync(caFile, ca)

  const issue: Authority['issue'] = async (names, options = {}) => {
    const { cert, key } = await issuer.issue(names, options)
    const folder = options.folder ?? temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    writeFileSync(certFile, cert)
    writeFileSync(keyFile, key, { mode: 0o600 })
    return { certFile, keyFile, cert, key, caFile }
  }
  return { caFile, ca, issue }
}
