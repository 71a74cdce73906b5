/** A new file for one credential: one JSON line, readable by its owner alone from its first moment on; nothing is overwritten. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { errorCode } from '../runtime/error-code.ts'

/** As it was revealed. */
export type Shown = { readonly id: string; readonly secret: string; readonly key: string }

export type CredentialFile = {
  /** Whole and on the disk, or a FileProblem. */
  readonly write: (shown: Shown) => void
  /** Nothing was written, so nothing is left of it. */
  readonly remove: () => void
}

/** In words that go behind the name of the file; never with anything of what was written. */
export class FileProblem extends Error {}

export function newCredentialFile(file: string): CredentialFile {
  const handle = opened(file)
  return {
    write: ({ id, secret, key }) => {
      try {
        // goes on until all of it is written, where a disk takes only a part
        writeFileSync(handle, `${JSON.stringify({ id, secret, key })}\n`)
        fsyncSync(handle)
      } catch (error) {
        throw new FileProblem(`can't be written (${errorCode(error)}); what is in it is no key`)
      } finally {
        closeSync(handle)
      }
    },
    remove: () => {
      closeSync(handle)
      unlinkSync(file)
    },
  }
}

function opened(file: string): number {
  try {
    return openSync(file, 'wx', 0o600)
  } catch (error) {
    const code = errorCode(error)
    throw new FileProblem(code === 'EEXIST' ? 'exists already, and is not overwritten' : `can't be made (${code})`)
  }
}
