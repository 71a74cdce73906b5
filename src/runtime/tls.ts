/** TLS of servers: TLS 1.2 and later, client certificates where a CA is named, exchanged while connections go on. */
import type { SecureContextOptions } from 'node:tls'
import { lookAtFiles } from './file-look.ts'
import { readTls, type TlsMaterial, type TlsPaths, type TlsProblem } from './tls-files.ts'

/** For `https.createServer`, `http2.createSecureServer` and `setSecureContext`. */
export type TlsOptions = {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca: Buffer | undefined
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
  readonly minVersion: NonNullable<SecureContextOptions['minVersion']>
}

export type ServerTls = {
  /** What counts now. */
  readonly options: () => TlsOptions
  /** Calls back with every later change; to be given to the server's `setSecureContext`. */
  readonly onChange: (apply: (options: TlsOptions) => void) => void
}

export type WatchedTls = ServerTls & {
  /** Milliseconds since 1970. */
  readonly expiresAt: () => number
  readonly stop: () => void
}

export type TlsNews = {
  readonly changed: (expiresAt: number) => void
  /** What stands in the files now can't be used; what was in force goes on. */
  readonly refused: (problems: readonly TlsProblem[]) => void
}

/** undefined: no TLS is asked for. The files were found good before; that they aren't any more is a problem again. */
export function openTls(paths: TlsPaths, news: TlsNews): WatchedTls | readonly TlsProblem[] | undefined {
  if (paths.tlsCert === undefined) return undefined
  let material: TlsMaterial
  const appliers: ((options: TlsOptions) => void)[] = []

  const files = [paths.tlsCert, paths.tlsKey, paths.clientCa].filter((path) => path !== undefined)
  const stop = lookAtFiles(files, () => {
    const read = readTls(paths)
    if (!read.ok) news.refused(read.problems)
    else if (!isSame(read.material, material)) {
      material = read.material
      for (const apply of appliers) apply(optionsOf(material))
      news.changed(material.expiresAt)
    }
  })
  // after the looking has begun: what is exchanged meanwhile is seen
  const first = readTls(paths)
  if (!first.ok) {
    stop()
    return first.problems
  }
  material = first.material

  return {
    options: () => optionsOf(material),
    onChange: (apply) => appliers.push(apply),
    expiresAt: () => material.expiresAt,
    stop,
  }
}

const optionsOf = ({ cert, key, ca }: TlsMaterial): TlsOptions => ({
  cert,
  key,
  ca,
  requestCert: ca !== undefined,
  rejectUnauthorized: ca !== undefined,
  minVersion: 'TLSv1.2',
})

const isSame = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.cert.equals(b.cert) && a.key.equals(b.key) && (a.ca === undefined ? b.ca === undefined : !!b.ca?.equals(a.ca))
