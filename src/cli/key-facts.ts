/** PURE: an ApiKey as the API server has it, read for people; what is not there, or is not understood, is left out. */
import { z } from 'zod'
import { momentOf } from './ages.ts'
import type { Stored } from './cluster.ts'

const text = z.string().optional().catch(undefined)
const words = z.array(z.string()).optional().catch(undefined)
const count = z.number().optional().catch(undefined)
const person = z.object({ username: text }).optional().catch(undefined)

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().catch(''),
  message: z.string().catch(''),
  lastTransitionTime: text,
})

const conditions = z.array(condition).catch([])

const withheld = z
  .array(z.object({ permission: z.string(), since: text, because: z.array(z.string()).catch([]) }))
  .optional()
  .catch(undefined)

const amount = z.object({ requests: count, per: text, burst: count }).optional().catch(undefined)

const spec = z
  .object({
    displayName: text,
    accessNamespace: text,
    environment: text,
    permissions: words,
    customers: words,
    expiresAt: text,
    rateLimit: amount,
    quota: amount,
    allowedCIDRs: words,
    state: text,
    regenerate: count,
    overlap: text,
    rotation: z.object({ every: text }).optional().catch(undefined),
    delivery: z.object({ secretName: text, digest: text, keyId: text }).optional().catch(undefined),
  })
  .catch({})

const status = z
  .object({
    phase: text,
    keyId: text,
    createdBy: person,
    permissions: words,
    permissionsSummary: text,
    /** Asked for, and not in force: because of whom, and since when. */
    withheld,
    limitsSummary: text,
    observedGeneration: count,
    lastUsedAt: text,
    credential: z
      .object({ version: count, issuedAt: text, claimedBy: person, claimedAt: text, previousValidUntil: text })
      .optional()
      .catch(undefined),
    conditions,
  })
  .catch({ conditions: [] })

export type Condition = z.output<typeof condition>

export type KeyFacts = {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  readonly createdAt: string
  readonly deleting: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly spec: z.output<typeof spec>
  readonly status: z.output<typeof status>
}

export function factsOf(object: Stored): KeyFacts {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, labels } =
    object.metadata
  return {
    ...{ name, uid, resourceVersion, createdAt: creationTimestamp },
    namespace: namespace ?? 'default',
    generation: generation ?? 1,
    deleting: deletionTimestamp !== undefined,
    labels: labels ?? {},
    spec: spec.parse(object.spec ?? {}),
    status: status.parse(object.status ?? { conditions: [] }),
  }
}

export const conditionsOf = (status: unknown): readonly Condition[] =>
  z.object({ conditions }).catch({ conditions: [] }).parse(status).conditions

export const conditionOf = ({ status }: KeyFacts, type: string): Condition | undefined =>
  status.conditions.find((one) => one.type === type)

export const stateOf = ({ spec }: KeyFacts): 'Active' | 'Suspended' | 'Revoked' =>
  spec.state === 'Suspended' || spec.state === 'Revoked' ? spec.state : 'Active'

/** The version that is due, as far as it is told: rotations by schedule count as well, and only a hand-over tells of them. */
export const versionDue = ({ spec, status }: KeyFacts): number =>
  Math.max(1 + (spec.regenerate ?? 0), status.credential?.version ?? 0)

/** Whether a replaced secret goes on for a while. */
export const leavesOverlap = (overlap: string | undefined): boolean => !/^[0smh]*$/.test(overlap ?? '')

/** Whether the operator has looked at what the spec says now. */
export const isObserved = ({ status, generation }: KeyFacts): boolean => (status.observedGeneration ?? 0) >= generation

export function hasExpired({ spec }: KeyFacts, nowMs: number): boolean {
  const expiresAt = momentOf(spec.expiresAt)
  return expiresAt !== undefined && expiresAt <= nowMs
}

/** What counts at once, whatever the operator has said by now: what takes away acts alone. */
export function standing(key: KeyFacts, nowMs: number): { readonly phase: string; readonly why: string } {
  if (key.deleting) return { phase: 'Inactive', why: 'being deleted' }
  const state = stateOf(key)
  if (state !== 'Active') return { phase: 'Inactive', why: state.toLowerCase() }
  if (hasExpired(key, nowMs)) return { phase: 'Expired', why: '' }
  return { phase: key.status.phase ?? 'Pending', why: '' }
}

/** In force now: never more than the spec asks for. */
export function permissionsNow({ spec, status }: KeyFacts): readonly string[] | undefined {
  const asked = new Set(spec.permissions)
  return status.permissions?.filter((permission) => asked.has(permission))
}
