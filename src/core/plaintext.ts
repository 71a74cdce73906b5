/** A credential on its way to its one owner: the type itself refuses to be printed. */
import { type Credential, secretOf } from './credential.ts'
import { Unprintable } from './unprintable.ts'

export class Plaintext extends Unprintable {
  readonly #credential: Credential

  constructor(credential: Credential) {
    super('[plaintext]')
    this.#credential = credential
  }

  /** Called where a key is handed over and nowhere else: `git grep 'reveal()'` is the audit. */
  reveal(): { readonly id: string; readonly secret: string; readonly key: string } {
    const { keyId, text } = this.#credential
    return { id: keyId, secret: secretOf(this.#credential), key: text }
  }
}
