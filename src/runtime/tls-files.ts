/** A certificate, its key and the CA of clients, read from files that may change at any moment, and all that can be wrong with them. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** Paths, by the names of the options. */
export type TlsPaths = {
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly clientCa?: string | undefined
}

export type TlsMaterial = {
  readonly cert: Buffer
  readonly key: Buffer
  /** Who signs the certificates of clients; undefined: clients need none. */
  readonly ca: Buffer | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export type TlsProblem = { readonly option: keyof TlsPaths; readonly problem: string }

type Read =
  | { readonly ok: true; readonly material: TlsMaterial }
  | { readonly ok: false; readonly problems: readonly TlsProblem[] }

/** What keeps these files from being used; nothing where no file is named. */
export function tlsProblems(paths: TlsPaths): readonly TlsProblem[] {
  const { tlsCert, tlsKey, clientCa } = paths
  if (tlsCert === undefined && tlsKey === undefined && clientCa === undefined) return []
  const read = readTls(paths)
  return read.ok ? [] : read.problems
}

/** Reads all of it anew; what does not belong together is refused as a whole. */
export function readTls({ tlsCert, tlsKey, clientCa }: TlsPaths): Read {
  const problems: TlsProblem[] = []
  const take = <T>(option: keyof TlsPaths, path: string | undefined, parse: (bytes: Buffer) => T) => {
    try {
      if (path === undefined) throw new Error(LACKING[option])
      const bytes = readFileSync(path)
      return { bytes, parsed: parse(bytes) }
    } catch (error) {
      problems.push({ option, problem: path === undefined ? LACKING[option] : `${path}: ${wordsOf(option, error)}` })
      return undefined
    }
  }
  const cert = take('tlsCert', tlsCert, (bytes) => new X509Certificate(bytes))
  const key = take('tlsKey', tlsKey, (bytes) => createPrivateKey(bytes))
  const ca = clientCa === undefined ? undefined : take('clientCa', clientCa, authoritiesIn)
  if (cert !== undefined && key !== undefined && !cert.parsed.checkPrivateKey(key.parsed)) {
    problems.push({ option: 'tlsKey', problem: `${tlsKey}: it is not the key of the certificate in ${tlsCert}` })
  }
  if (problems.length > 0 || cert === undefined || key === undefined) return { ok: false, problems }
  const material = { cert: cert.bytes, key: key.bytes, ca: ca?.bytes, expiresAt: Date.parse(cert.parsed.validTo) }
  const refusal = refusedByTls(material)
  return refusal === undefined
    ? { ok: true, material }
    : { ok: false, problems: [{ option: 'tlsCert', problem: `${tlsCert}: ${refusal}` }] }
}

const LACKING = {
  tlsCert: 'the file with the certificate is needed beside --tls-key and --client-ca',
  tlsKey: 'the file with the private key is needed beside --tls-cert',
  clientCa: 'a file with certificates is needed',
} as const

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Each of them must be one: a CA that is passed over in silence would keep its clients out, or its successor's in. */
function authoritiesIn(bytes: Buffer): readonly X509Certificate[] {
  const found = (bytes.toString('latin1').match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text))
  if (found.length === 0) throw new Error('none')
  return found
}

type ReadAuthorities = { readonly ok: true; readonly ca: Buffer } | { readonly ok: false; readonly problem: string }

/** A CA's file. Node takes any bytes for one: without a certificate in them it is one that trusts nobody. */
export function readAuthorities(path: string): ReadAuthorities {
  try {
    const ca = readFileSync(path)
    authoritiesIn(ca)
    return { ok: true, ca }
  } catch (error) {
    return { ok: false, problem: wordsOf('clientCa', error) }
  }
}

/** What OpenSSL itself has against it, such as a key that is too short. */
function refusedByTls({ cert, key, ca }: TlsMaterial): string | undefined {
  try {
    createSecureContext({ cert, key, ...(ca && { ca }) })
    return undefined
  } catch (error) {
    return `it can't be used: ${error instanceof Error ? error.message : 'unknown'}`
  }
}

const WANTED = {
  tlsCert: 'holds no certificate in PEM form',
  tlsKey: 'holds no private key in PEM form without a password',
  clientCa: 'does not hold certificates in PEM form only',
} as const

/** An error of the parser is not repeated: it could hold what was to be a key. */
function wordsOf(option: keyof TlsPaths, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^E[A-Z]+$/.test(code) ? `can't be read (${code})` : WANTED[option]
}
