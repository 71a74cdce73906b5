/** Whether a key is good for this moment, place and environment: checks in their published order. */
import { contains, parseAddress } from './address.ts'
import type { Code } from './denial.ts'
import type { Environment } from './environment.ts'
import type { KeyRecord } from './record.ts'

export type Circumstance = {
  readonly record: KeyRecord
  readonly environment: Environment
  readonly address: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

export type Objection = { readonly code: Code; readonly why: string }

const INACTIVE = {
  Suspended: 'suspended',
  Revoked: 'revoked',
  Deleted: 'being deleted',
} as const

export const inactive = ({ record }: Circumstance): Objection | undefined =>
  record.state === 'Active' ? undefined : { code: 'key_inactive', why: `the key is ${INACTIVE[record.state]}` }

export const expired = ({ record, now }: Circumstance): Objection | undefined =>
  record.expiresAt !== undefined && record.expiresAt <= now
    ? { code: 'key_expired', why: `the key expired at ${new Date(record.expiresAt).toISOString()}` }
    : undefined

export const elsewhere = ({ record, environment }: Circumstance): Objection | undefined =>
  record.environment === environment
    ? undefined
    : { code: 'wrong_environment', why: `a key for ${record.environment} at an endpoint of ${environment}` }

export const addressRefused = ({ record, address }: Circumstance): Objection | undefined => {
  if (record.allowedCidrs === undefined) return undefined
  const parsed = address === undefined ? undefined : parseAddress(address)
  if (parsed !== undefined && record.allowedCidrs.some((cidr) => contains(cidr, parsed))) return undefined
  // only an address goes to the log: anything else may have been made up by the caller
  const where = parsed === undefined ? 'is not known' : `${address} is in no allowed block`
  return { code: 'address_not_allowed', why: `the caller's address ${where}` }
}
