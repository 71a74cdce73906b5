/** TLS to Redis: the files are read anew at each connection, so that renewed certificates need no restart. */
import { readFileSync } from 'node:fs'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import { Trouble } from '../core/trouble.ts'
import { readAuthorities } from '../runtime/tls-files.ts'

/** Paths; where there is no ca, the system's authorities count. */
export type RedisTls = {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

const contents = (path: string | undefined): Buffer | undefined => (path === undefined ? undefined : readFileSync(path))

/** What the files hold now; throws where they can't be read or don't fit together. */
export function readRedisTls({ ca, cert, key }: RedisTls): SecureContext {
  const [certificate, own] = [contents(cert), contents(key)]
  const authorities = ca === undefined ? undefined : readAuthorities(ca)
  if (authorities?.ok === false) throw new Error(authorities.problem)
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(authorities && { ca: authorities.ca }),
    ...(certificate && { cert: certificate }),
    ...(own && { key: own }),
  })
}

/** Options whose context is as new as the connection; files that are half written leave the last good one in force. */
export function redisTls(files: RedisTls, note: (trouble: Trouble) => void): ConnectionOptions {
  let good: SecureContext | undefined
  return {
    // what ioredis copies at each connection
    get secureContext() {
      try {
        good = readRedisTls(files)
      } catch {
        note(new Trouble('redis_certificate_unreadable', 'retry'))
      }
      return good
    },
  }
}
