/** What ended a command, in words, and its exit code. */
import { printableLines } from './printable.ts'
import { Refused, Stop } from './refused.ts'

export type Ending = { readonly words: string; readonly code: 1 | 2 }

/** Whoever read what is printed has gone, as a pager that is left: there is nobody to tell, and nothing went wrong. */
export const isUnread = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EPIPE'

/** What is neither a no nor a stop of ours is thrown on. */
export async function ending(
  error: unknown,
  at: { readonly namespace: string; readonly self: string },
): Promise<Ending> {
  if (error instanceof Stop)
    return { words: printableLines(error.message).replaceAll('\n', '\n  '), code: error.exitCode }
  if (!(error instanceof Refused)) throw error
  const { refusalWords } = await import('./refusal-words.ts')
  return { words: refusalWords(error, at), code: 1 }
}
