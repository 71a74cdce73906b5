/** PURE: the few forms of JSON path that columns and selectors use: `.a.b` and `.a[?(@.type=="X")].b`. */
import { isObject } from '../../resources/problem.ts'

const STEP = /\.([A-Za-z]+)|\[\?\(@\.([A-Za-z]+)=="([^"]*)"\)\]/g

export function valueAt(object: unknown, path: string): unknown {
  let at: unknown = object
  for (const [, field, name = '', wanted] of path.matchAll(STEP)) {
    if (field !== undefined) at = isObject(at) && Object.hasOwn(at, field) ? at[field] : undefined
    else at = Array.isArray(at) ? at.find((item) => isObject(item) && item[name] === wanted) : undefined
  }
  return at
}
