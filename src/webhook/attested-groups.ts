/** PURE: somebody who is attested, as they are asked about now: groups that nobody has confirmed for too long do not count. */
import { type Attested, type Person, serviceAccountOf } from '../core/person.ts'

export type AsOf = {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** undefined: groups count for ever. */
  readonly maxAgeMs: number | undefined
}

/** What is bound to the name itself goes on at any age. The groups of a ServiceAccount follow from its name, so they never age. */
export function asOf({ person, at }: Attested, { nowMs, maxAgeMs }: AsOf): Person {
  const account = serviceAccountOf(person)
  if (account !== undefined)
    return { ...person, groups: [...EVERY_ACCOUNT, `system:serviceaccounts:${account.namespace}`] }
  return maxAgeMs !== undefined && nowMs - at > maxAgeMs ? { ...person, groups: [] } : person
}

const EVERY_ACCOUNT = ['system:authenticated', 'system:serviceaccounts']
