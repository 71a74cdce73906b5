/** The certificate that is served, looked after: renewed in time, exchanged without a restart, and its CA told to the API server. */
import type { ServerTls, TlsOptions } from '../runtime/tls.ts'
import { bundleOf, type Material, validity } from './certificate-plan.ts'
import { type CertificateParts, currentCertificates } from './certificates.ts'

export type ServingParts = CertificateParts & {
  /** Writes the bundle into both webhook configurations; may do nothing where another replica leads. */
  readonly applyBundle: (bundle: string) => Promise<void>
  /** Resolves early when it is to stop. */
  readonly pause: (ms: number, stop: AbortSignal) => Promise<void>
  readonly trouble: (error: unknown) => void
  /** Between two looks; 30 s unless told. */
  readonly everyMs?: number
  /** PEM of who signs callers' certificates; undefined: callers need none. */
  readonly clientCa: Buffer | undefined
}

export type Serving = {
  readonly tls: ServerTls
  /** Milliseconds since 1970. */
  readonly expiresAt: () => number
  /** Until `stop`; whatever fails is tried again, and what was in force goes on. */
  readonly run: (stop: AbortSignal) => Promise<void>
}

const LOOK_EVERY_MS = 30_000

/** Resolves once there is a certificate to serve. */
export async function makeServing(parts: ServingParts): Promise<Serving> {
  let material = await currentCertificates(parts)
  const appliers: ((options: TlsOptions) => void)[] = []

  const look = async (): Promise<void> => {
    const now = await currentCertificates(parts)
    // callers learn of a CA before anything is served that it signed
    await parts.applyBundle(bundleOf(now))
    if (now.serving.cert === material.serving.cert) return
    material = now
    for (const apply of appliers) apply(optionsOf(now, parts.clientCa))
  }

  return {
    tls: {
      options: () => optionsOf(material, parts.clientCa),
      onChange: (apply) => appliers.push(apply),
    },
    expiresAt: () => validity(material.serving.cert)?.to ?? 0,
    run: async (stop) => {
      while (!stop.aborted) {
        try {
          await look()
        } catch (error) {
          parts.trouble(error)
        }
        await parts.pause(parts.everyMs ?? LOOK_EVERY_MS, stop)
      }
    },
  }
}

const optionsOf = ({ serving }: Material, clientCa: Buffer | undefined): TlsOptions => ({
  cert: Buffer.from(serving.cert),
  key: Buffer.from(serving.key),
  ca: clientCa,
  requestCert: clientCa !== undefined,
  rejectUnauthorized: clientCa !== undefined,
  minVersion: 'TLSv1.3',
})

/** For server-side apply: the bundle alone, beside whatever else stands in the configuration. */
export const bundlePatch = (
  kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration',
  name: string,
  { webhooks, bundle }: { readonly webhooks: readonly string[]; readonly bundle: string },
): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name },
  webhooks: webhooks.map((webhook) => ({
    name: webhook,
    clientConfig: { caBundle: Buffer.from(bundle).toString('base64') },
  })),
})
