/** What a command says and asks: results to one side, remarks to the other, and questions only to a person. */
import type { Clock } from './ages.ts'

export type Terminal = {
  /** Resolves when the text is on its way, rejects where nobody reads it any more. */
  readonly out: (text: string) => Promise<void>
  readonly err: (text: string) => void
  /** Somebody sits there and reads results: colours are welcome. */
  readonly colours: boolean
  /** undefined: nobody can be asked. */
  readonly person: Person | undefined
  /** How the command is called: `keyward` or `kubectl keyward`. */
  readonly self: string
  readonly clock: Clock
  /** Aborts when somebody interrupts; a second time ends the process. */
  readonly stop: () => AbortSignal
  /** Resolves after the time, or at once when the signal comes. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

export type Person = {
  /** Shown on the side of remarks. An empty answer is an answer. Rejects with a Stop where the person goes. */
  readonly ask: (question: string) => Promise<string>
}
