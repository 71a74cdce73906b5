/** What can be wrong with a folder as a whole. */
import type { FolderProblem } from './accepted.ts'
import type { Unwatched } from './watchers.ts'

const WHOLE = { line: 0, field: '', object: '' } as const

export const problemOfWatch = ({ folder, reason }: Unwatched): FolderProblem => ({
  ...WHOLE,
  file: folder,
  message: `can't be watched (${reason}): it is looked through now and then instead, so that an edit may take longer`,
  severity: 'warning',
})

export const notStored = (error: unknown): FolderProblem => ({
  ...WHOLE,
  file: '',
  message: `what the folder says can't be stored (${wordsOf(error)}): what it takes away is in force, what it gives waits`,
  severity: 'error',
})

export const notTaken = (error: unknown): FolderProblem => ({
  ...WHOLE,
  file: '',
  message: `what the folder says can't be taken over: ${wordsOf(error)}`,
  severity: 'error',
})

export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { message, cause } = error
  return cause instanceof Error ? `${message.replaceAll('_', ' ')}: ${cause.message}` : message
}
