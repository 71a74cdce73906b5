/** Which of two writings of a kind of object came later: a resourceVersion is a decimal number of any length. */

/** Greater than 0: `a` is the later one. Meaningless across a restored backup, after which the numbers begin lower again. */
function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a === b ? 0 : a > b ? 1 : -1
}

export const isLater = (a: string, b: string): boolean => compareVersions(a, b) > 0
