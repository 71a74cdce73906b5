/** A password of Redis: the type itself refuses to be printed. */

const HIDDEN = '[password]'

export class Password {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Called where a connection is made and nowhere else. */
  text(): string {
    return this.#text
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN
  }
}
