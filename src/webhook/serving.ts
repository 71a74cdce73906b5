/** The certificate that is served, looked after: renewed in time, exchanged without a restart, and its CA told to the API server. */
import type { ServerTls, TlsOptions } from '../runtime/tls.ts'
import { bundleOf, type Material, validity } from './certificate-plan.ts'
import { type CertificateParts, currentCertificates, keepAnnounced } from './certificates.ts'

export type ServingParts = Omit<CertificateParts, 'served'> & {
  /** Whether the bundle is in both webhook configurations now; false: that is left to another replica, which leads. */
  readonly applyBundle: (bundle: string) => Promise<boolean>
}

export type Serving = {
  readonly tls: ServerTls
  /** Milliseconds since 1970. */
  readonly expiresAt: () => number
  /** To be called now and then, and when this replica begins to lead; what was in force goes on where it fails. */
  readonly look: () => Promise<void>
}

/** Resolves once there is a certificate to serve. */
export async function makeServing(parts: ServingParts): Promise<Serving> {
  let material = await currentCertificates(parts)
  const appliers: ((options: TlsOptions) => void)[] = []
  const show = (now: Material): void => {
    const isOther = now.serving.cert !== material.serving.cert
    material = now
    if (isOther) for (const apply of appliers) apply(optionsOf(now))
  }
  return {
    tls: {
      options: () => optionsOf(material),
      onChange: (apply) => appliers.push(apply),
    },
    expiresAt: () => validity(material.serving.cert)?.to ?? 0,
    look: async () => {
      const now = await currentCertificates({ ...parts, served: () => material })
      // renewed all the same where callers can't be told of anything, for as long as they know who signs
      if (isTrusted(now.authority.cert, material)) show(now)
      // otherwise they learn of a CA before anything is served that it signed
      const isTold = await parts.applyBundle(bundleOf(now))
      show(now)
      if (isTold) await keepAnnounced(parts, now)
    },
  }
}

/** Whether callers were told of this CA before. */
const isTrusted = (cert: string, { authority, next, announcedAt }: Material): boolean =>
  cert === authority.cert || (announcedAt !== undefined && cert === next?.cert)

/**
 * A caller needs no certificate unless somebody says whose (`--webhook-client-ca`). One that is not the API server learns who may
 * grant what, and makes us ask the API server, within bounds; it changes nothing.
 */
const optionsOf = ({ serving }: Material): TlsOptions => ({
  cert: Buffer.from(serving.cert),
  key: Buffer.from(serving.key),
  ca: undefined,
  requestCert: false,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.3',
})
