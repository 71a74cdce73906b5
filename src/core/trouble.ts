/** Trouble that is expected from outside, by what to do about it. */

/** retry: back off and try again; wait: come back at a time; stop: until somebody changes something. */
export type Fate = 'retry' | 'wait' | 'stop'

export class Trouble extends Error {
  readonly code: string
  readonly fate: Fate

  /** @param code snake_case, for logs and conditions; errors are told apart by it, never by their text */
  constructor(code: string, fate: Fate, cause?: unknown) {
    super(code, { cause })
    this.name = 'Trouble'
    this.code = code
    this.fate = fate
  }
}
