/** What must not be shown: neither as text, nor as JSON, nor where node prints an object. */
export class Unprintable {
  readonly #shown: string

  /** @param shown what stands in its place */
  constructor(shown: string) {
    this.#shown = shown
  }

  toString(): string {
    return this.#shown
  }

  toJSON(): string {
    return this.#shown
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.#shown
  }
}
