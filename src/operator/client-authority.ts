/** Who may call the webhooks: holders of a certificate of an authority, read from a file that may change at any moment. */
import { Trouble } from '../core/trouble.ts'
import { lookAtFiles } from '../runtime/file-look.ts'
import type { Log } from '../runtime/log.ts'
import type { ServerTls, TlsOptions } from '../runtime/tls.ts'
import { readAuthorities } from '../runtime/tls-files.ts'

export type ClientAuthority = {
  readonly ca: () => Buffer
  readonly onChange: (apply: () => void) => void
}

/** What keeps the file from being used. */
export function authorityProblem(file: string): string | undefined {
  const read = readAuthorities(file)
  return read.ok ? undefined : `${file}: ${read.problem}`
}

/** Throws where the file can't be used; later on the last good one stays in force. */
export function openAuthority(file: string, log: Log): ClientAuthority {
  let ca: Buffer
  const appliers: (() => void)[] = []
  const stop = lookAtFiles([file], () => {
    const read = readAuthorities(file)
    if (!read.ok) {
      log.error({ problems: [`${file}: ${read.problem}`] }, 'authorities of callers not exchanged')
      return
    }
    if (read.ca.equals(ca)) return
    ca = read.ca
    for (const apply of appliers) apply()
    log.info({}, 'authorities of callers exchanged')
  })
  // after the looking has begun: what is exchanged meanwhile is seen
  const first = readAuthorities(file)
  if (!first.ok) {
    stop()
    throw new Trouble('client_authority_unusable', 'stop', new Error(`${file}: ${first.problem}`))
  }
  ca = first.ca
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
