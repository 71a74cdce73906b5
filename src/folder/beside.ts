/** PURE: what is said of a key that is in force and does not work. */
import type { ApiKey } from '../resources/api-key.ts'
import { type FieldProblem, forbidden, problemAt } from '../resources/problem.ts'

/** An export of something that was on its way out. */
export const beingDeleted = ({ deleting }: ApiKey): readonly FieldProblem[] => {
  const why = 'the key was being deleted where this comes from, so it does not work; take the field out to keep the key'
  return deleting === true ? [problemAt(['metadata', 'deletionTimestamp'], forbidden(why))] : []
}
