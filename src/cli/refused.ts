/** PURE: how a command ends that does not do what it was asked for: by the API server's no, or by our own. */

export type FieldCause = { readonly field: string; readonly message: string }

/** The API server's no. Its words are for whoever asked and for nobody else: they may quote what was sent. */
export class Refused extends Error {
  readonly status: number
  readonly reason: string
  readonly causes: readonly FieldCause[]

  constructor(said: {
    readonly status: number
    readonly reason: string
    readonly message: string
    readonly causes?: readonly FieldCause[]
  }) {
    super(said.message)
    this.name = 'Refused'
    this.status = said.status
    this.reason = said.reason
    this.causes = said.causes ?? []
  }
}

/** What ends a command, in words that say what to do; 1: it went wrong, 2: it was called wrongly. */
export class Stop extends Error {
  readonly exitCode: 1 | 2

  constructor(words: string, exitCode: 1 | 2 = 1) {
    super(words)
    this.name = 'Stop'
    this.exitCode = exitCode
  }
}

/** No answer: the same may work in a moment. */
export class Unreachable extends Stop {}

/** Whether the same may work in a moment. */
export const passes = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Refused && (error.status === 429 || error.status >= 500))

export const wrongly = (words: string): Stop => new Stop(words, 2)
