/** Who may call the webhooks: holders of a certificate of an authority, read from a file that may change at any moment. */
import { readFileSync } from 'node:fs'
import { Trouble } from '../core/trouble.ts'
import type { Log } from '../runtime/log.ts'
import type { ServerTls, TlsOptions } from '../runtime/tls.ts'
import { holdsAuthorities, signatureOf } from '../runtime/tls-files.ts'

export type ClientAuthority = {
  readonly ca: () => Buffer
  readonly onChange: (apply: () => void) => void
}

type Read = { readonly ok: true; readonly ca: Buffer } | { readonly ok: false; readonly problem: string }

/** Looked at instead of watched: a Secret's files are links to links, which are swapped. */
const LOOK_EVERY_MS = 500

/** What keeps the file from being used. */
export function authorityProblem(file: string): string | undefined {
  const read = readAuthority(file)
  return read.ok ? undefined : read.problem
}

/** Throws where the file can't be used; later on the last good one stays in force. */
export function openAuthority(file: string, log: Log): ClientAuthority {
  let signature = signatureOf({ clientCa: file })
  const first = readAuthority(file)
  if (!first.ok) throw new Trouble('client_authority_unusable', 'stop', new Error(first.problem))
  let { ca } = first
  const appliers: (() => void)[] = []

  const look = (): void => {
    const now = signatureOf({ clientCa: file })
    if (now === signature) return
    signature = now
    const read = readAuthority(file)
    if (!read.ok) {
      log.error({ problems: [read.problem] }, 'authorities of callers not exchanged')
      return
    }
    if (read.ca.equals(ca)) return
    ca = read.ca
    for (const apply of appliers) apply()
    log.info({}, 'authorities of callers exchanged')
  }

  setInterval(() => {
    try {
      look()
    } catch {
      // a folder that can't be looked into for a moment: what was in force goes on, and the next look follows
    }
  }, LOOK_EVERY_MS).unref()
  return { ca: () => ca, onChange: (apply) => appliers.push(apply) }
}

/** The same certificate, shown to everybody, and answers for those alone. */
export function onlyFor(authority: ClientAuthority, tls: ServerTls): ServerTls {
  const strict = (options: TlsOptions): TlsOptions => ({
    ...options,
    ca: authority.ca(),
    requestCert: true,
    rejectUnauthorized: true,
  })
  return {
    options: () => strict(tls.options()),
    onChange: (apply) => {
      tls.onChange((options) => apply(strict(options)))
      authority.onChange(() => apply(strict(tls.options())))
    },
  }
}

function readAuthority(file: string): Read {
  try {
    const ca = readFileSync(file)
    if (holdsAuthorities(ca)) return { ok: true, ca }
    return { ok: false, problem: `${file}: does not hold certificates in PEM form only` }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    return { ok: false, problem: `${file}: can't be read${code}` }
  }
}
