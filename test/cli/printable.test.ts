/** What others wrote, for a terminal: nothing of it is obeyed, and nothing of it is there without being seen. */
import { expect, test } from 'vitest'
import { jsonText, printable, printableLines } from '../../src/cli/printable.ts'

test.each([
  ['a control', 'a\u001bb', 'a\\u001bb'],
  ['text that runs backwards', 'a\u202eb', 'a\\u202eb'],
  ['a space without a width', 'a\u200bb', 'a\\u200bb'],
  ['a soft hyphen', 'a\u00adb', 'a\\u00adb'],
  ['tags, which write in nothing that is seen', 'a\u{e0041}\u{e007f}b', 'a\\udb40\\udc41\\udb40\\udc7fb'],
  ['a filler', 'a\u3164b\u115f', 'a\\u3164b\\u115f'],
  ['variants', 'a\ufe00\u{e0100}b', 'a\\ufe00\\udb40\\udd00b'],
  ['what joins letters', 'a\u034fb', 'a\\u034fb'],
  ['half a letter', 'a\ud83db', 'a\\ud83db'],
])('%s is written out', (_what, text, expected) => {
  expect(printable(text)).toBe(expected)
  expect(JSON.parse(jsonText(text))).toBe(text)
})

test('letters of any language and pictures stay as they are', () => {
  for (const text of ['Müller & Søn', '日本語', 'שלום', '🔑', '❤\ufe0f', 'e\u0301']) expect(printable(text)).toBe(text)
  expect(printableLines('a\r\nb')).toBe('a\nb')
})
