/** Which known name somebody may have meant. */

/** The known name closest to what was written; undefined where none is close. */
export function closest(written: string, known: readonly string[]): string | undefined {
  if (written.length > 64) return undefined
  const wanted = folded(written)
  let best: string | undefined
  let least = Math.min(2, Math.floor(wanted.length / 3)) + 1
  for (const name of known) {
    const distance = folded(name) === wanted ? 0 : edits(wanted, folded(name))
    if (distance < least) {
      best = name
      least = distance
    }
  }
  return best
}

/** Case and separators are what is mistyped most: `allowed_cidrs` is `allowedCIDRs`. */
const folded = (name: string): string => name.toLowerCase().replace(/[-_]/g, '')

/** Letters inserted, left out, replaced or swapped with their neighbour (optimal string alignment). */
function edits(a: string, b: string): number {
  let [beforeLast, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1)
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
