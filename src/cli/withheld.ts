/** PURE: why a permission is not in force: because of whom, and since when. */
import { ago } from './ages.ts'
import { conditionOf, isObserved, type KeyFacts } from './key-facts.ts'
import { printable } from './printable.ts'

/** undefined: the status names nobody. */
export function withheldWords({ status }: KeyFacts, permission: string, nowMs: number): string | undefined {
  const found = status.withheld?.find((one) => one.permission === permission)
  if (found === undefined) return undefined
  const { because, since } = found
  const who = because.length === 0 ? 'the people behind the key' : because.map(printable).join(' and ')
  const past = ago(since, nowMs)
  return `not held by ${who}${since === undefined ? '' : ` since ${printable(since)}`}${past === '' ? '' : ` (for ${past})`}`
}

/** A permission that is asked for and not in force. */
export function whyNotInForce(key: KeyFacts, permission: string, nowMs: number): string {
  if (!isObserved(key)) return 'the operator has not looked at the last change yet'
  const withheld = withheldWords(key, permission, nowMs)
  if (withheld !== undefined) return withheld
  const within = conditionOf(key, 'WithinCreatorAccess')
  if (within === undefined || within.status === 'True') return 'not granted so far'
  const past = ago(within.lastTransitionTime, nowMs)
  return `${printable(within.message)}${past === '' ? '' : ` (for ${past})`}`
}
