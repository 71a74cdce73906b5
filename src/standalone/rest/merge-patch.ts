/** PURE: a JSON merge patch (RFC 7396). */
import { isObject } from '../../resources/problem.ts'

export function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const before = isObject(target) ? target : {}
  // a map, so that a field called __proto__ is a field like any other
  const fields = new Map<string, unknown>(Object.entries(before))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) fields.delete(name)
    else fields.set(name, merged(fields.get(name), value))
  }
  return Object.fromEntries(fields)
}
