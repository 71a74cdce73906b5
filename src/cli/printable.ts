/** PURE: what others wrote, made harmless for a terminal: nothing in it is obeyed, and nothing runs the other way. */

/** Controls of both sets, what turns the direction of writing, and what can't be seen at all. */
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu

const escaped = (character: string): string => `\\u${(character.charCodeAt(0) & 0xffff).toString(16).padStart(4, '0')}`

/** One line. */
export const printable = (text: string): string => text.replace(OBEYED, escaped)

/** Several lines stay several. */
export const printableLines = (text: string): string => text.split(/\r?\n/).map(printable).join('\n')

export const jsonText = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 2).replace(/[^\n]+/g, printable)}\n`
