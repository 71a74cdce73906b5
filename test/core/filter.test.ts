import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filterList } from '../../src/core/filter.ts'
import { leastCpuMs } from '../support/cpu-time.ts'

type Options = { items?: string; id?: string; visible?: readonly string[] }

function filtered(
  text: string | Uint8Array,
  { items = '/items', id = '/id', visible = ['a', 'c', '7'] }: Options = {},
) {
  const body = typeof text === 'string' ? Buffer.from(text) : text
  const result = filterList(body, { items, id, visible: new Set(visible) }, isUtf8)
  return result.ok ? Buffer.from(result.body).toString('utf8') : { refused: result.why }
}

const hex = (unit: string): string => unit.charCodeAt(0).toString(16).padStart(4, '0')

describe('what is cut', () => {
  test.each([
    ['an item in the middle', '{"items":[{"id":"a"},{"id":"b"},{"id":"c"}]}', '{"items":[{"id":"a"},{"id":"c"}]}'],
    ['the first item', '{"items":[{"id":"b"},{"id":"a"}]}', '{"items":[{"id":"a"}]}'],
    ['the last item', '{"items":[{"id":"a"},{"id":"b"}]}', '{"items":[{"id":"a"}]}'],
    ['several at the start', '{"items":[{"id":"b"},{"id":"d"},{"id":"a"}]}', '{"items":[{"id":"a"}]}'],
    ['every item', '{"items":[{"id":"b"},{"id":"d"}],"total":2}', '{"items":[],"total":2}'],
    ['nothing of an empty list', '{"items":[ ]}', '{"items":[ ]}'],
    ['a number that is no visible id', '{"items":[{"id":7},{"id":8}]}', '{"items":[{"id":7}]}'],
    ['a number that only means a visible id', '{"items":[{"id":7.0},{"id":7}]}', '{"items":[{"id":7}]}'],
    ['an id in another case', '{"items":[{"id":"A"},{"id":"a"}]}', '{"items":[{"id":"a"}]}'],
  ])('%s', (_what, before, after) => {
    expect(filtered(before)).toBe(after)
  })

  test('every second one of ids of all lengths', () => {
    const ids = Array.from({ length: 140 }, (_, i) => 'x'.repeat(Math.floor(i / 2) + 1) + (i % 2 === 0 ? '' : 'é'))
    const visible = ids.filter((_, i) => i % 2 === 0)
    expect(filtered(JSON.stringify(ids), { items: '', id: '', visible })).toBe(JSON.stringify(visible))
    const others = ids.filter((_, i) => i % 2 === 1)
    expect(filtered(JSON.stringify(ids), { items: '', id: '', visible: others })).toBe(JSON.stringify(others))
  })

  test.each(['"', '\\', '/', '\b', '\f', '\n', '\r', '\t', '\u0000', 'é', '€', '😀', '\ud800'])(
    'an id with %j in it, however it is written',
    (letter) => {
      const escaped = [...letter].flatMap((one) => one.split('')).map((unit) => `\\u${hex(unit)}`)
      for (const id of [letter, `a${letter}`, `${letter}a`, `${'a'.repeat(70)}${letter}`]) {
        const spelt = `"${id.replace(letter, escaped.join('').toUpperCase().replaceAll('\\U', '\\u'))}"`
        const list = `[${JSON.stringify(id)},${spelt},"a","b"]`
        expect(filtered(list, { items: '', id: '', visible: [id] })).toBe(`[${JSON.stringify(id)},${spelt}]`)
      }
    },
  )

  test('white space around what is kept stays', () => {
    expect(filtered('{ "items" : [\n  {"id":"b"} ,\n  {"id":"a"} ,\n  {"id":"d"},\n  {"id":"c"}\n] }\n')).toBe(
      '{ "items" : [\n  {"id":"a"},\n  {"id":"c"}\n] }\n',
    )
  })

  test('what is kept keeps its bytes: numbers their text, strings their escapes, names their order and repetition', () => {
    const item = String.raw`{"id":"a","n":1.0e+02,"big":12345678901234567890,"s":"\u0041\/é","x":1,"x":2}`
    expect(filtered(`{"n":0.10,"items":[${item},{"id":"b"}],"n":-0}`)).toBe(`{"n":0.10,"items":[${item}],"n":-0}`)
  })

  test('an answer whose items are all visible is not touched', () => {
    const body = Buffer.from('{"items":[ {"id":"a"} , {"id":"c"} ]}')
    const result = filterList(body, { items: '/items', id: '/id', visible: new Set(['a', 'c']) }, isUtf8)
    expect(result.ok && Buffer.from(result.body).equals(body)).toBe(true)
  })
})

describe('where the items and their ids lie', () => {
  test.each([
    ['the whole document', '', '/id', '[{"id":"b"},{"id":"a"}]', '[{"id":"a"}]'],
    ['deep inside', '/data/list', '/id', '{"data":{"list":[{"id":"b"}]}}', '{"data":{"list":[]}}'],
    [
      'at a place of an array',
      '/1/items',
      '/id',
      '[{"items":[{"id":"b"}]},{"items":[{"id":"b"}]}]',
      '[{"items":[{"id":"b"}]},{"items":[]}]',
    ],
    ['under a name with a slash and a tilde', '/a~1b~0c', '/id', '{"a/b~c":[{"id":"b"}]}', '{"a/b~c":[]}'],
    ['under an empty name', '/', '/id', '{"":[{"id":"b"}]}', '{"":[]}'],
    [
      'under a name written with escapes',
      '/items',
      '/id',
      String.raw`{"\u0069tems":[{"\u0069d":"b"},{"i\u0064":"\u0061"}]}`,
      String.raw`{"\u0069tems":[{"i\u0064":"\u0061"}]}`,
    ],
    ['under a name beyond ASCII', '/entrées', '/id', '{"entrées":[{"id":"b"}]}', '{"entrées":[]}'],
    [
      'an id inside the item',
      '/items',
      '/meta/id',
      '{"items":[{"meta":{"id":"b"}},{"meta":{"id":"a"}}]}',
      '{"items":[{"meta":{"id":"a"}}]}',
    ],
    ['an id at a place of the item', '/items', '/0', '{"items":[["b",1],["a",2]]}', '{"items":[["a",2]]}'],
    ['items that are ids themselves', '/items', '', '{"items":["b","a",7,8]}', '{"items":["a",7]}'],
    ['a name that is a number', '/0', '/id', '{"0":[{"id":"b"}]}', '{"0":[]}'],
  ])('%s', (_what, items, id, before, after) => {
    expect(filtered(before, { items, id })).toBe(after)
  })
})

describe('what is refused, since it can not be told what is visible', () => {
  test.each([
    ['nothing at all', '', 'the body is not JSON'],
    ['text', 'hello', 'the body is not JSON'],
    ['a byte-order mark', '\ufeff{"items":[]}', 'the body is not JSON'],
    ['something behind the document', '{"items":[]} {}', 'the body is not JSON'],
    ['a document that breaks off', '{"items":[{"id":"a"}', 'the body is not JSON'],
    ['a comma too many', '{"items":[{"id":"a"},]}', 'the body is not JSON'],
    ['a leading zero', '{"items":[{"id":"a","n":01}]}', 'the body is not JSON'],
    ['a control character in a string', '{"items":[{"id":"a","n":"\u0001"}]}', 'the body is not JSON'],
    ['no such name', '{"things":[]}', 'there is nothing at /items'],
    ['an object', '{"items":{}}', 'what stands where the items should is no array'],
    ['null', '{"items":null}', 'what stands where the items should is no array'],
    ['the name twice', '{"items":[{"id":"a"}],"items":[{"id":"b"}]}', 'the name items stands twice in one object'],
    [
      'the name twice, once escaped',
      String.raw`{"items":[],"item\u0073":[]}`,
      'the name items stands twice in one object',
    ],
    ['the id twice', '{"items":[{"id":"a","id":"b"}]}', 'the name id stands twice in one object'],
    ['an item without an id', '{"items":[{"id":"a"},{"name":"b"}]}', 'an item has no id'],
    ['an item that is no object', '{"items":[{"id":"a"},3]}', 'an item has no id'],
    ['an id that is null', '{"items":[{"id":null}]}', 'an item has an id that is neither a string nor a number'],
    ['an id that is an object', '{"items":[{"id":{}}]}', 'an item has an id that is neither a string nor a number'],
    ['an id that is true', '{"items":[{"id":true}]}', 'an item has an id that is neither a string nor a number'],
    ['deeper than 256', `{"items":[],"x":${'['.repeat(300)}${']'.repeat(300)}}`, 'the body is not JSON'],
  ])('%s', (_what, text, refused) => {
    expect(filtered(text)).toEqual({ refused })
  })

  test('bytes that are not UTF-8, wherever they stand', () => {
    const latin1 = Buffer.from('{"items":[{"id":"a","name":"é"}]}', 'latin1')
    expect(filtered(latin1)).toEqual({ refused: 'the body is not UTF-8' })
  })

  test('a pointer that is none', () => {
    expect(filtered('{"items":[]}', { items: 'items' })).toEqual({ refused: 'a pointer that is not RFC 6901' })
    expect(filtered('{"items":[]}', { items: '/a~2' })).toEqual({ refused: 'a pointer that is not RFC 6901' })
  })

  test('a repeated name elsewhere is nobody’s affair', () => {
    expect(filtered('{"x":1,"x":2,"items":[{"id":"a","y":1,"y":2}]}')).toBe(
      '{"x":1,"x":2,"items":[{"id":"a","y":1,"y":2}]}',
    )
  })
})

describe('compared with a parser that builds everything', () => {
  const visible = new Set(['a', 'b', '1'])
  const id = fc.constantFrom('a', 'b', 'z', '\u00e9', 'a"', 1, 2)
  const item = fc.record({ id, rest: fc.jsonValue({ maxDepth: 3 }) })
  const document = fc.record({ before: fc.jsonValue({ maxDepth: 2 }), items: fc.array(item), after: fc.jsonValue() })

  test('what is left is what a filter of the parsed document leaves', () => {
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const left = filtered(JSON.stringify(value, undefined, indent), { visible: [...visible] })
        expect(JSON.parse(String(left))).toEqual(
          JSON.parse(JSON.stringify({ ...value, items: value.items.filter((one) => visible.has(String(one.id))) })),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('what JSON.parse refuses is refused, what it takes is taken', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '0',
      '-',
      '1.5',
      'e',
      '+',
      '.',
      'true',
      'nul',
      ' ',
      '\n',
      '\u0000',
      '"\\u00g0"',
      '"\\n"',
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = `{"items":[],"x":${tokens.join('')}}`
        expect(typeof filtered(text) === 'string').toBe(isJsonWithOneItems(text))
      }),
      { numRuns: 3_000 },
    )
  })
})

/** None of the tokens above can spell `items`. */
function isJsonWithOneItems(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Kinds of documents that take longest for their bytes: what an item, a name or a value costs beside what it weighs. */
const HEAVY: readonly (readonly [string, (i: number) => string, { id?: string; head?: string; tail?: string }])[] = [
  ['ids of one digit', (i) => String(1 + (i % 2)), { id: '' }],
  ['ids of two digits', (i) => String(10 + (i % 89)), { id: '' }],
  ['ids of six digits', (i) => String(100_000 + (i % 50_000)), { id: '' }],
  ['ids beyond ASCII', (i) => (i % 2 === 0 ? '"é"' : '"ü"'), { id: '' }],
  ['ids that are UUIDs', (i) => `"0b6c4d2e-7f31-4a6b-9d8e-${String(i).padStart(12, '0')}"`, { id: '' }],
  ['objects of an id', (i) => `{"id":${1 + (i % 2)}}`, {}],
  ['escaped names', (i) => `{"\\u0069d":${1 + (i % 2)}}`, {}],
  ['empty objects', () => '{}', { head: '{"items":[{"id":1,"x":[', tail: ']}]}' }],
  ['deep brackets', () => `${'['.repeat(200)}${']'.repeat(200)}`, { head: '{"items":[{"id":1,"x":[', tail: ']}]}' }],
]

test.each(HEAVY)('%s of 256 KiB, every second one visible, do not hold up the process', (_what, item, wanted) => {
  const { id = '/id', head = '{"items":[', tail = ']}' } = wanted
  const items: string[] = []
  for (let i = 0, bytes = 0; bytes < 256 * 1024; i++) {
    const one = item(i)
    bytes += one.length + 1
    items.push(one)
  }
  const body = Buffer.from(`${head}${items.join(',')}${tail}`)
  const visible = new Set(['1', 'é', ...Array.from({ length: 75_000 }, (_, i) => String(i * 2))])
  const cost = leastCpuMs(() => {
    expect(filterList(body, { items: '/items', id, visible }, isUtf8).ok).toBe(true)
  })
  // half of what a list may be by default; without the wrapping of a test it takes a tenth of this
  expect(cost).toBeLessThan(100)
})

test('what is cut lies in one piece of memory, no larger than the document', () => {
  const body = Buffer.from(`[${Array.from({ length: 100_000 }, (_, i) => i % 2).join(',')}]`)
  const result = filterList(body, { items: '', id: '', visible: new Set(['1']) }, isUtf8)
  expect(result.ok && Buffer.from(result.body).toString()).toBe(
    `[${Array.from({ length: 50_000 }, () => 1).join(',')}]`,
  )
  expect(result.ok && result.body.buffer.byteLength).toBeLessThanOrEqual(body.length)
})
