/** PURE: what others wrote, made harmless for a terminal: nothing in it is obeyed, and nothing runs the other way. */

/**
 * Controls, formats (what turns the direction of writing among them), ends of lines, and what can't be seen: tags, fillers,
 * variants. Not those two that say whether a sign is a picture, which people's keyboards write.
 */
const OBEYED = /(?![\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** In units of 16 bits, which JSON reads back as what it was. */
const escaped = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')

/** One line. */
export const printable = (text: string): string => text.replace(OBEYED, escaped)

/** Several lines stay several. */
export const printableLines = (text: string): string => text.split(/\r?\n/).map(printable).join('\n')

export const jsonText = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 2).replace(/[^\n]+/g, printable)}\n`
