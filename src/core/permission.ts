/** Permissions: compared by equality, and never more than the people behind a key hold. */

/** `license:manage` and the like: `^[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*)+$`. */
export type Permission = string

export const PERMISSION = /^[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*)+$/

export const holds = (held: readonly Permission[], permission: Permission): boolean => held.includes(permission)

/**
 * What of it is in force, in the order asked.
 * @param held what everybody behind the key holds; undefined: nobody caps it (standalone has no users)
 */
export function effective(
  asked: readonly Permission[],
  held: readonly Permission[] | undefined,
): readonly Permission[] {
  if (held === undefined) return asked
  const capped = asked.filter((permission) => held.includes(permission))
  return capped.length === asked.length ? asked : capped
}

/** `customer:read (1 of 3)` for tables; the count only where something is not in force. */
export function summary(asked: readonly Permission[], held: readonly Permission[]): string {
  const list = held.join(', ')
  return held.length === asked.length ? list : `${list === '' ? 'none' : list} (${held.length} of ${asked.length})`
}
