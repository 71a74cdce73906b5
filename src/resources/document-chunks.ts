/** A YAML stream cut apart between its documents, without reading them. */

export type Chunk = {
  readonly text: string
  /** Of its first character, counted from 1. */
  readonly line: number
}

const MARKER = /(^|\r\n|\n|\r)\ufeff?(---|\.\.\.)(?=[ \t\r\n]|$)/g

/** Cut before each `---` and behind each `...`; directives stay with the document that they stand above. */
export function chunksOf(source: string): readonly Chunk[] {
  const chunks: Chunk[] = []
  let start = 0
  let line = 1
  const cutAt = (end: number) => {
    const text = source.slice(start, end)
    chunks.push({ text, line })
    line += linesIn(text)
    start = end
  }
  for (const match of source.matchAll(MARKER)) {
    const at = match.index + (match[1]?.length ?? 0)
    if (match[2] === '...') cutAt(match.index + match[0].length)
    else if (hasContent(source.slice(start, at))) cutAt(at)
  }
  cutAt(source.length)
  return chunks
}

export const linesIn = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0

/** More than blank lines, comments and directives. */
const hasContent = (text: string): boolean => text.split(/[\r\n]/).some((line) => !/^\s*(#|$)|^%/.test(line))
