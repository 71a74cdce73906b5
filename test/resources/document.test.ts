// Documents of a file: values, lines, and files that are odd or broken.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDocuments } from '../../src/resources/document.ts'
import { chunksOf } from '../../src/resources/document-chunks.ts'
import { parseManifest } from '../../src/resources/manifest.ts'

const values = (text: string) => readDocuments(text).documents.map(({ value }) => value)

const FILE = `# a key and its namespace
---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: main, namespace: team-web}
spec:
  accessNamespace: acme
  environment: prod

  # two of them
  permissions:
    - license:manage
    - License
  rateLimit: {requests: 0,
    per: 1m}
  displayName: >-
    a folded
    name
---

# nothing here
---
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata:
  name: acme
spec: {type: organization}
`

describe('the documents of a file', () => {
  test('are read one by one, the empty ones skipped, each with its line', () => {
    const { documents, problems } = readDocuments(FILE)
    expect(problems).toEqual([])
    expect(documents.map(({ line }) => line)).toEqual([3, 23])
    expect(documents[1]?.value).toEqual({
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'AccessNamespace',
      metadata: { name: 'acme' },
      spec: { type: 'organization' },
    })
  })

  test.each([
    [[], 3],
    [['kind'], 4],
    [['metadata', 'namespace'], 5],
    [['spec'], 6],
    [['spec', 'environment'], 8],
    [['spec', 'permissions', 0], 12],
    [['spec', 'permissions', 1], 13],
    [['spec', 'permissions', 2], 11],
    [['spec', 'rateLimit', 'requests'], 14],
    [['spec', 'rateLimit', 'per'], 15],
    [['spec', 'displayName'], 16],
    [['spec', 'missing'], 6],
    [['spec', 'environment', 'deeper'], 8],
    [['nowhere', 0], 3],
  ])('have a line for %j', (path, line) => {
    expect(readDocuments(FILE).documents[0]?.lineOf(path)).toBe(line)
  })

  test('give every problem of a manifest its line', () => {
    const [document] = readDocuments(FILE).documents
    const parsed = parseManifest(document?.value)
    const found = parsed.ok ? [] : parsed.problems.map(({ field, path }) => [field, document?.lineOf(path)])
    expect(found).toEqual([
      ['spec.environment', 8],
      ['spec.permissions[1]', 13],
      ['spec.rateLimit.requests', 14],
    ])
  })

  test('have lines behind other documents too', () => {
    expect(readDocuments(FILE).documents[1]?.lineOf(['metadata', 'name'])).toBe(26)
    expect(readDocuments(FILE).documents[1]?.lineOf(['spec', 'type'])).toBe(27)
  })

  test('may be the items of a List', () => {
    const { documents } = readDocuments('kind: List\nitems:\n- a: 1\n- kind: X\n  b:\n  - c\n---\nd: 1\n')
    expect(documents.map(({ value, line }) => [value, line])).toEqual([
      [{ a: 1 }, 3],
      [{ kind: 'X', b: ['c'] }, 4],
      [{ d: 1 }, 8],
    ])
    expect(documents[1]?.lineOf(['b', 0])).toBe(6)
  })

  test('may be JSON, indented with tabs', () => {
    const { documents } = readDocuments('{\n\t"a": {\n\t\t"b": ["\\u00e9\\ud83d\\ude00\\/", true, null, 1e3]\n\t}\n}\n')
    expect(documents[0]?.value).toEqual({ a: { b: ['é😀/', true, null, 1000] } })
    expect(documents[0]?.lineOf(['a', 'b', 1])).toBe(3)
  })
})

describe('a file', () => {
  test.each([
    ['that is empty', '', []],
    ['of comments', '# a\n\n  # b\n', []],
    ['of separators', '---\n---\n...\n---\n', []],
    ['of null', 'null\n---\n~\n', []],
    ['with a byte order mark', '\ufeffa: 1\n', [{ a: 1 }]],
    ['with a byte order mark between documents', 'a: 1\n\ufeff---\nb: 1\n', [{ a: 1 }, { b: 1 }]],
    ['with CRLF', 'a: 1\r\nb:\r\n- 2\r\n---\r\nc: 3\r\n', [{ a: 1, b: [2] }, { c: 3 }]],
    ['without a last line break', 'a: 1\n---\nb: 2', [{ a: 1 }, { b: 2 }]],
    ['with directives', '%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n', [{ a: 1 }, { b: 2 }]],
    ['with --- in a text block', 'a: |\n  ---\n  b\n', [{ a: '---\nb\n' }]],
    ['with an anchor', 'a: &x [1, 2]\nb: *x\n', [{ a: [1, 2], b: [1, 2] }]],
    ['with a merge key, which is a field like any other', '<<: {a: 1}\n', [{ '<<': { a: 1 } }]],
    ['with a time, which stays text', 'a: 2027-03-01T00:00:00Z\n', [{ a: '2027-03-01T00:00:00Z' }]],
    ['with words that YAML 1.1 takes for truth', 'y: on\nno: yes\n', [{ y: 'on', no: 'yes' }]],
    ['with numbers', 'a: [0, -1, 10, 1.5, 1e3, true, null]\n', [{ a: [0, -1, 10, 1.5, 1000, true, null] }]],
    ['with numbers that readers differ about', 'a: [010, 0x1f, 0o17, 1_000]\n', [{ a: [NaN, NaN, NaN, NaN] }]],
    ['with such numbers in quotes', 'a: ["010", \'0x1f\']\n', [{ a: ['010', '0x1f'] }]],
    ['with tags of YAML itself', 'a: !!str 1\n', [{ a: '1' }]],
  ])('%s is read', (_what, text, expected) => {
    expect(values(text)).toEqual(expected)
    expect(readDocuments(text).problems).toEqual([])
  })

  test.each([
    ['an indentation by tab', 'a:\n\tb: 1\n', 2, 'tab characters must not be used in indentation'],
    ['a wrong indentation', 'a: 1\n  b: 2\n', 2, 'bad indentation of a mapping entry'],
    ['an open bracket', 'a: [1\nb: 2\n', 2, 'or bracket above is still open'],
    ['an open quote', 'a: "b\n', 2, 'a quote or bracket above is still open'],
    ['an open quote at the end', 'a: "b', 1, 'unexpected end of the stream within a double quoted scalar'],
    ['a key twice', 'a:\n  b: 1\n  c: 2\n  b: 3\n', 4, 'b is written twice in one mapping'],
    ['a key twice in JSON', '{"a": 1,\n "a": 2}', 2, 'is written twice in one mapping'],
    ['__proto__ twice', '__proto__: 1\n__proto__: 2\n', 2, '__proto__ is written twice'],
    ['an unknown alias', 'a: *b\n', 1, 'unidentified alias'],
    ['an unknown tag', 'a: !secret b\n', 1, 'unknown scalar tag'],
    ['a tag that makes binary', 'a: !!binary aGk=\n', 1, 'unknown scalar tag'],
    ['a key that is a list', '? [a]\n: 1\n', 1, 'complex keys'],
    ['a NUL', 'a: 1\nb: \0\n', 2, 'null byte'],
    ['a control character', 'a: "\u0007"\n', 1, 'expected valid JSON character'],
    ['33 levels of nesting', '['.repeat(40) + ']'.repeat(40), 1, 'nesting exceeded maxDepth (32)'],
    ['65 aliases', `a: &a 1\nb: [${'*a, '.repeat(65)}]\n`, 2, 'aliases exceeded maxAliases (64)'],
    ['an alias of itself', 'a: &a\n  b: *a\n', 2, 'stand for too many values'],
    ['aliases of aliases', bomb(), 2, 'stand for too many values'],
    ['text behind a document', '"a" b\n', 1, ''],
  ])('with %s is refused with line and reason', (_what, text, line, words) => {
    const { documents, problems } = readDocuments(text)
    expect(documents).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]?.line).toBe(line)
    expect(problems[0]?.message).toMatch(/^not valid YAML: /)
    expect(problems[0]?.message).toContain(words)
  })

  test('of 100,000 brackets is refused at once', () => {
    expect(readDocuments('['.repeat(100_000)).problems[0]?.message).toContain('nesting exceeded')
  })

  test('says nothing of what stands around an error', () => {
    const secret = '0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi'
    const text = `a: kw_prod_4fQ0Zp8sLm2T_${secret}\nb: !${secret} x\n c: 1\n${secret}: 1\n${secret}: 1\n`
    for (const part of [text, text.slice(text.indexOf('b:')), `${secret}: 1\n${secret}: 1\n`]) {
      expect(JSON.stringify(readDocuments(part).problems)).not.toContain('0123456789ab')
    }
  })
})

describe('a broken document', () => {
  test.each([
    ['between two good ones', 'a: 1\n---\nb: [1\n---\nc: 1\n', [{ a: 1 }, { c: 1 }], [4]],
    ['with an open quote', 'a: 1\n---\nb: "1\n---\nc: 1\n', [{ a: 1 }, { c: 1 }], [4]],
    ['at the beginning', 'a: 1\na: 2\n---\nc: 1\n', [{ c: 1 }], [2]],
    ['at the end', 'a: 1\n---\n\tb: 1\n  c', [{ a: 1 }], [3]],
    ['twice', 'a: b: c\n--- # x\nd: 1\n...\n# y\n---\ne: *f\n', [{ d: 1 }], [1, 7]],
    ['under CRLF', 'a: 1\r\n---\r\nb: [1\r\n---\r\nc: 1\r\n', [{ a: 1 }, { c: 1 }], [4]],
    ['with a directive for the next', 'a: [\n...\n%TAG !k! tag:yaml.org,2002:\n---\nb: !k!str 1\n', [{ b: '1' }], [2]],
  ])('%s does not hide the others', (_what, text, expected, lines) => {
    const { documents, problems } = readDocuments(text)
    expect(documents.map(({ value }) => value)).toEqual(expected)
    expect(problems.map(({ line }) => line)).toEqual(lines)
  })

  test('does not move the lines of the others', () => {
    const { documents } = readDocuments('a: [\n---\n# b\nb:\n  c: 1\n')
    expect(documents[0]?.line).toBe(4)
    expect(documents[0]?.lineOf(['b', 'c'])).toBe(5)
  })
})

test('a field called __proto__ is a field, and changes nothing else', () => {
  const [value] = values('__proto__: {state: Revoked}\nspec: {constructor: 1}\n')
  expect(Object.keys(value as object)).toEqual(['__proto__', 'spec'])
  expect((value as { state?: unknown }).state).toBeUndefined()
  expect(({} as { state?: unknown }).state).toBeUndefined()
})

describe('whatever a file holds', () => {
  const piece = fc.constantFrom(
    ...[
      '---',
      '...',
      '\n',
      '\r\n',
      '\n---\n',
      '\n...\n',
      '%YAML 1.2',
      '# c',
      'a: 1',
      '- b',
      '"',
      "'",
      '[',
      ']',
      '{',
      '}',
    ],
    ...[
      ' ',
      '  ',
      '\t',
      ': ',
      ', ',
      '&x ',
      '*x',
      '!!str ',
      '|\n  t',
      '>-\n',
      '<<: ',
      '? ',
      '\ufeff',
      '\u2028',
      '\u0000',
      'é',
    ],
  )
  const file = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''))

  test('it is read or refused, every document and problem on one of its lines', () => {
    fc.assert(
      fc.property(file, (text) => {
        const { documents, problems } = readDocuments(text)
        const last = text.split(/\r\n|\n|\r/).length
        for (const line of [...documents.map((one) => one.line), ...documents.map((one) => one.lineOf(['a', 0]))]) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(line).toBeLessThanOrEqual(last)
        }
        for (const { line } of problems) expect(line).toBeLessThanOrEqual(last)
      }),
      { numRuns: 500, seed: 7 },
    )
  })

  test('a document reads the same whether or not one beside it is broken', () => {
    fc.assert(
      fc.property(file, (text) => {
        const alone = readDocuments(text)
        const beside = readDocuments(`${text}\n...\n---\n"broken\n`)
        // a byte order mark within a line is text to some and nothing to others
        fc.pre(alone.problems.length === 0 && !text.includes('\ufeff'))
        expect(beside.documents.map(({ value, line }) => [value, line])).toEqual(
          alone.documents.map(({ value, line }) => [value, line]),
        )
      }),
      { numRuns: 500, seed: 7 },
    )
  })

  test('its chunks are the whole of it', () => {
    fc.assert(
      fc.property(file, (text) => {
        const chunks = chunksOf(text)
        expect(chunks.map((chunk) => chunk.text).join('')).toBe(text)
      }),
      { numRuns: 500, seed: 7 },
    )
  })
})

/** 2^20 values out of twenty lines. */
function bomb(): string {
  const lines = ['a0: &a0 [1, 2]']
  for (let i = 1; i < 20; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`)
  return `${lines.join('\n')}\n`
}

test('documents keep their values alive and nothing of what was parsed, also after a line was asked for', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const one = (i: number) =>
    `kind: ApiKey\nmetadata: {name: key-${i}}\nspec: {a: [b, c, d, e], f: {g: h, i: j, k: l}}\n`
  const text = Array.from({ length: 4000 }, (_, i) => one(i)).join('---\n')
  collect()
  const before = process.memoryUsage().heapUsed
  const { documents } = readDocuments(text)
  expect(documents[1]?.lineOf(['spec'])).toBe(7)
  await new Promise(setImmediate)
  collect()
  expect((process.memoryUsage().heapUsed - before) / documents.length).toBeLessThan(1500)
})
