/** What `keyward operator` can be told besides how the API server is reached, and what holds where it is told nothing. */
import { z } from 'zod'
import { durationMs } from '../resources/common.ts'
import { LISTENING } from '../runtime/listening.ts'

/** The port of the operator before `--port-offset` is added. */
export const OPERATOR_PORTS = { metrics: 9090 } as const

const RIGHT = 'a whole number of seconds or minutes from 2s to 5m, such as 15s'
const SHORTEST_MS = 2_000
const LONGEST_MS = 300_000

const leaseDuration = z
  .string({ error: RIGHT })
  .regex(/^[1-9][0-9]{0,2}[sm]$/, { error: RIGHT })
  .transform(durationMs)
  .refine((ms) => ms >= SHORTEST_MS && ms <= LONGEST_MS, { error: RIGHT })

const { portOffset, listen, logLevel } = LISTENING

export const OPERATOR = {
  /** How long the others leave the Lease to a leader that does not renew it. */
  leaseDuration: leaseDuration.default(15_000),
  identity: z
    .string()
    .regex(/^[\w.-]{1,128}$/, { error: 'letters, digits and . _ - only, 128 at most' })
    .optional(),
  portOffset,
  listen,
  logLevel,
}
