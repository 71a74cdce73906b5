/** What Node says of a failure in one word, such as ENOENT: unlike its message it quotes nothing. */

export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
