/** PURE: rows as a table in the way of kubectl: capitals above, three spaces between, nothing behind the last. */
import { printable } from './printable.ts'

export type Paint = 'good' | 'waiting' | 'bad' | 'quiet'

export type Column<Row> = {
  readonly title: string
  readonly cell: (row: Row) => string
  readonly paint?: (row: Row) => Paint | undefined
}

export type TableStyle = { readonly colours: boolean; readonly headers: boolean }

const GAP = 3

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], style: TableStyle): string {
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))))
  const widths = columns.map(({ title }, at) =>
    Math.max(style.headers ? title.length : 0, ...cells.map((line) => widthOf(line[at] ?? ''))),
  )
  const written = (texts: readonly string[], painted: (text: string, at: number) => string): string =>
    texts
      .map((text, at) => painted(text, at) + ' '.repeat((widths[at] ?? 0) - widthOf(text) + GAP))
      .join('')
      .trimEnd()
  const lines = cells.map((line, row) =>
    written(line, (text, at) => coloured(text, rows[row] && columns[at]?.paint?.(rows[row]), style.colours)),
  )
  const head = style.headers
    ? [
        written(
          columns.map(({ title }) => title),
          (text) => text,
        ),
      ]
    : []
  return [...head, ...lines].map((line) => `${line}\n`).join('')
}

const CODES: Readonly<Record<Paint, number>> = { good: 32, waiting: 33, bad: 31, quiet: 2 }

export const coloured = (text: string, paint: Paint | undefined, colours: boolean): string =>
  !colours || paint === undefined || text === '' ? text : `\u001b[${CODES[paint]}m${text}\u001b[0m`

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const NO_WIDTH = /\p{Mn}|\p{Me}/u

/** In columns of a terminal. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += WIDE.test(character) ? 2 : NO_WIDTH.test(character) ? 0 : 1
  return width
}
