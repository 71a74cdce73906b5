/** The status of an ApiKey: what is told to people and tables. Nothing is ever granted because a status says so. */
import { z } from 'zod'
import type { Condition } from '../core/condition.ts'
import { type KeyId, parseKeyId } from '../core/credential.ts'
import type { Permission } from '../core/permission.ts'

export type Phase = 'Pending' | 'Active' | 'Inactive' | 'Expired' | 'Failed'

export type Person = { readonly username: string }

/** Times are metav1: RFC 3339, whole seconds. */
export type CredentialStatus = {
  readonly version: number
  readonly issuedAt: string
  readonly claimedBy: Person | undefined
  readonly claimedAt: string | undefined
  readonly previousValidUntil: string | undefined
}

/** A permission that is asked for and not in force. */
export type Withheld = {
  readonly permission: Permission
  /** When it was first seen not to be held. */
  readonly since: string
  /** Names of those who do not hold it. */
  readonly because: readonly string[]
}

export type ApiKeyStatus = {
  readonly phase: Phase
  readonly keyId: KeyId | undefined
  /** undefined: nobody wrote down who. */
  readonly createdBy: Person | undefined
  /** Asked for, and still held by the people behind the key. */
  readonly permissions: readonly Permission[]
  readonly permissionsSummary: string
  /** undefined: nothing is withheld. */
  readonly withheld: readonly Withheld[] | undefined
  /** undefined: no limits. */
  readonly limitsSummary: string | undefined
  /** undefined: nothing that was handed over is in force. */
  readonly credential: CredentialStatus | undefined
  readonly observedGeneration: number
  /** Ours, and those that others have written. */
  readonly conditions: readonly ReportedCondition[]
}

/** Others may write conditions too, and need not say which generation they have seen. */
export type ReportedCondition = Omit<Condition, 'observedGeneration'> & {
  readonly observedGeneration?: number | undefined
}

/** What is looked at of a status that was written before. */
export type Reported = {
  /** As it was read, to tell whether anything changed. */
  readonly whole: unknown
  readonly keyId: KeyId | undefined
  readonly withheld: readonly Pick<Withheld, 'permission' | 'since'>[]
  readonly conditions: readonly ReportedCondition[]
}

const NOTHING_REPORTED: Reported = { whole: undefined, keyId: undefined, withheld: [], conditions: [] }

const schema = z.object({
  keyId: z.string().optional(),
  withheld: z.array(z.object({ permission: z.string(), since: z.string() })).catch([]),
  conditions: z.array(
    z.object({
      type: z.string(),
      status: z.enum(['True', 'False', 'Unknown']),
      reason: z.string(),
      message: z.string(),
      observedGeneration: z.number().optional(),
      lastTransitionTime: z.string(),
    }),
  ),
})

/** A status that can't be read counts as none: it is written anew. */
export function parseReported(whole: unknown): Reported {
  if (whole === undefined) return NOTHING_REPORTED
  const read = schema.safeParse(whole)
  if (!read.success) return NOTHING_REPORTED
  const keyId = parseKeyId(read.data.keyId ?? '')
  return {
    whole,
    keyId: keyId.ok ? keyId.value : undefined,
    withheld: read.data.withheld,
    conditions: read.data.conditions,
  }
}
