/** Reads header blocks that use no dynamic table: names and values of what a server answers. */
import type { Field } from './h2-frames.ts'

/** The few static entries (RFC 7541, appendix A) that answers use; others are named by their number. */
const STATIC: Readonly<Record<number, Field>> = {
  8: [':status', '200'],
  9: [':status', '204'],
  10: [':status', '206'],
  11: [':status', '304'],
  12: [':status', '400'],
  13: [':status', '404'],
  14: [':status', '500'],
  28: ['content-length', ''],
  31: ['content-type', ''],
  33: ['date', ''],
}

/** The Huffman code is canonical, so its lengths say all of it (appendix B); longer codes stand for nothing in ASCII text. */
const BY_LENGTH: Readonly<Record<number, string>> = {
  5: '012aceiost',
  6: ' %-./3456789=A_bdfghlmnpru',
  7: ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz',
  8: '&*,;XZ',
  10: '!"()?',
  11: "'+|",
  12: '#>',
  13: '\0$@[]~',
  14: '^}',
  15: '<`{',
}

const CODES: ReadonlyMap<string, string> = codes()

function codes(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let code = 0
  for (let length = 5; length <= 15; length++) {
    for (const letter of BY_LENGTH[length] ?? '') found.set((code++).toString(2).padStart(length, '0'), letter)
    code *= 2
  }
  return found
}

function unhuffed(bytes: Buffer): string {
  let read = ''
  let code = ''
  for (const bit of [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')) {
    code += bit
    const letter = CODES.get(code)
    if (letter === undefined) continue
    read += letter
    code = ''
  }
  if (!/^1{0,7}$/.test(code)) throw new Error(`a letter that is not read here: ${code}`)
  return read
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  get next(): number {
    return this.#bytes[this.#at] ?? 0
  }

  integer(bits: number): number {
    const most = 2 ** bits - 1
    let value = (this.#bytes[this.#at++] ?? 0) & most
    if (value < most) return value
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }

  text(): string {
    const huffman = this.next >= 0x80
    const length = this.integer(7)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return huffman ? unhuffed(bytes) : bytes.toString('latin1')
  }
}

export function fieldsOf(bytes: Buffer): readonly Field[] {
  const reader = new Reader(bytes)
  const fields: Field[] = []
  while (!reader.done) {
    const first = reader.next
    if (first >= 0x80) {
      const index = reader.integer(7)
      fields.push(STATIC[index] ?? [`#${index}`, ''])
    } else if (first >= 0x20 && first < 0x40) reader.integer(5)
    else {
      const index = reader.integer(first >= 0x40 ? 6 : 4)
      const name = index === 0 ? reader.text() : (STATIC[index]?.[0] ?? `#${index}`)
      fields.push([name, reader.text()])
    }
  }
  return fields
}
