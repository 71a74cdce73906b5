/** Files that may change at any moment, looked at instead of watched: a Secret's files are links to links, which are swapped. */
import { statSync } from 'node:fs'

const EVERY_MS = 500

/** Calls back after one of the files was written, replaced, or swapped behind a link. @returns what ends it */
export function lookAtFiles(paths: readonly string[], changed: () => void): () => void {
  let signature = signatureOf(paths)
  const look = (): void => {
    const now = signatureOf(paths)
    if (now === signature) return
    // of two files that are exchanged one after the other, the second changes this once more
    signature = now
    changed()
  }
  const timer = setInterval(() => {
    try {
      look()
    } catch {
      // a folder that can't be looked into for a moment: what was in force goes on, and the next look follows
    }
  }, EVERY_MS).unref()
  return () => clearInterval(timer)
}

const signatureOf = (paths: readonly string[]): string =>
  paths
    .map((path) => {
      const about = statSync(path, { bigint: true, throwIfNoEntry: false })
      return about && `${about.dev}:${about.ino}:${about.size}:${about.mtimeNs}:${about.ctimeNs}`
    })
    .join(' ')
