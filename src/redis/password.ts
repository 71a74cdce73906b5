/** A password of Redis: the type itself refuses to be printed. */
import { Unprintable } from '../core/unprintable.ts'

export class Password extends Unprintable {
  readonly #text: string

  constructor(text: string) {
    super('[password]')
    this.#text = text
  }

  /** Called where a connection is made and nowhere else. */
  text(): string {
    return this.#text
  }
}
