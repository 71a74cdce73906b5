/** What `keyward operator` can be told besides how the API server is reached, and what holds where it is told nothing. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { durationMs } from '../resources/common.ts'
import { LISTENING } from '../runtime/listening.ts'
import { isFolder } from '../runtime/running.ts'
import { authorityProblem } from './client-authority.ts'

/** The ports of the operator before `--port-offset` is added. */
export const OPERATOR_PORTS = { metrics: 9090, webhooks: 9443 } as const

const RIGHT = 'a whole number of seconds or minutes from 2s to 5m, such as 15s'
const SHORTEST_MS = 2_000
const LONGEST_MS = 300_000

const leaseDuration = z
  .string({ error: RIGHT })
  .regex(/^[1-9][0-9]{0,2}[sm]$/, { error: RIGHT })
  .transform(durationMs)
  .refine((ms) => ms >= SHORTEST_MS && ms <= LONGEST_MS, { error: RIGHT })

const DRAIN = 'a whole number of seconds from 0s to 6s, such as 3s'

const drain = z
  .string({ error: DRAIN })
  .regex(/^[0-6]s$/, { error: DRAIN })
  .transform(durationMs)

const AGE = 'a whole number of hours or days, such as 12h or 30d'

const maxAttestationAge = z
  .string({ error: AGE })
  .regex(/^[1-9][0-9]{0,4}[hd]$/, { error: AGE })
  .transform(durationMs)
  .optional()

const HOSTS = 'DNS names and IP addresses, with a comma between two'
const isHost = (text: string): boolean =>
  isIP(text) !== 0 ||
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(text)

const webhookHosts = z
  .string({ error: HOSTS })
  .transform((text) => text.split(',').map((name) => name.trim()))
  .refine((hosts) => hosts.every(isHost), { error: HOSTS })
  .optional()

const webhookClientCa = z
  .string()
  .refine((file) => authorityProblem(file) === undefined, { error: ({ input }) => authorityProblem(String(input)) })
  .optional()

const { portOffset, listen, logLevel } = LISTENING

export const OPERATOR = {
  /** How long the others leave the Lease to a leader that does not renew it. */
  leaseDuration: leaseDuration.default(15_000),
  identity: z
    .string()
    .regex(/^[\w.-]{1,128}$/, { error: 'letters, digits and . _ - only, 128 at most' })
    .optional(),
  /** Where the certificates of the webhooks and the key for stamps lie; nobody else reads it, authz not either. */
  operatorNamespace: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'the name of a Kubernetes namespace is needed' })
    .default('keyward-operator'),
  /** With tls.crt and tls.key, as cert-manager keeps them. */
  webhookCertificate: z.string().refine(isFolder, { error: 'a folder with tls.crt and tls.key is needed' }).optional(),
  /** Only holders of a certificate of these authorities are answered; without it everybody is. */
  webhookClientCa,
  /** As which the API server calls the webhooks, besides their Service. */
  webhookHosts,
  /** How long webhooks are still answered once the process is to stop. */
  drain: drain.default(3000),
  /** A user's groups, as they were when a key was made or claimed, count for so long. */
  maxAttestationAge,
  portOffset,
  listen,
  logLevel,
}
