/** PURE: values that many have in common, held once. Forgets all of them now and then, so that it never holds much itself. */

/** The value that was seen first under this key, as long as it is remembered. */
export type Once<T> = (key: string, value: T) => T

const AT_MOST = 4096

export function once<T>(): Once<T> {
  const seen = new Map<string, T>()
  return (key, value) => {
    const known = seen.get(key)
    if (known !== undefined) return known
    if (seen.size >= AT_MOST) seen.clear()
    seen.set(key, value)
    return value
  }
}
