/** `--new-keys` on real files: one whole line for each key, for its owner only, whatever happens to the file. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { composeCredential, RANDOM_BYTES } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { type NewKeys, newKeysTo, openNewKeysFile } from '../../src/folder/new-keys.ts'
import { aKeyId } from '../operator/make.ts'

let root: string
let file: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keyward-new-keys-'))
  file = join(root, 'new.jsonl')
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function opened(path = file): NewKeys {
  const newKeys = openNewKeysFile(path)
  if (!newKeys.ok) throw new Error(newKeys.problem)
  return newKeys.value
}

const aKey = (name: string, byte: number, mayDeliver = () => true) => ({
  namespace: 'team-web',
  name,
  plaintext: new Plaintext(composeCredential(aKeyId('k'), new Uint8Array(RANDOM_BYTES).fill(byte))),
  mayDeliver,
})

const names = (): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => (JSON.parse(line) as { name: string }).name)

const LINE = {
  namespace: 'team-web',
  name: 'main',
  id: 'kw_prod_kkkkkkkkkkkk',
  secret: expect.stringMatching(/^1{43}[0-9A-Za-z]{6}$/),
  key: expect.stringMatching(/^kw_prod_kkkkkkkkkkkk_1{43}[0-9A-Za-z]{6}$/),
}

test('a line says where the key belongs, and the key in both forms', async () => {
  await opened().deliver(aKey('main', 1))
  expect(readFileSync(file, 'utf8')).toMatch(/^\{.*\}\n$/)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(LINE)
})

test('the file is for its owner only, from the first moment on', () => {
  const before = process.umask(0)
  try {
    opened()
  } finally {
    process.umask(before)
  }
  expect([readFileSync(file, 'utf8'), (statSync(file).mode & 0o777).toString(8)]).toEqual(['', '600'])
})

test('a file that others could read is closed to them before a key goes in', async () => {
  writeFileSync(file, '')
  chmodSync(file, 0o644)
  await opened().deliver(aKey('main', 1))
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('lines are appended in the order of delivery, and what is there is never touched', async () => {
  writeFileSync(file, 'a note of mine\n')
  const newKeys = opened()
  await Promise.all(['a', 'b', 'c'].map((name) => newKeys.deliver(aKey(name, 1))))
  await opened().deliver(aKey('d', 1))
  expect(readFileSync(file, 'utf8').startsWith('a note of mine\n')).toBe(true)
  expect(names()).toEqual(['a', 'b', 'c', 'd'])
})

test('a thousand keys at once are a thousand whole lines', async () => {
  const newKeys = opened()
  const wanted = Array.from({ length: 1000 }, (_, i) => `key-${i}`)
  await Promise.all(wanted.map((name) => newKeys.deliver(aKey(name, 1))))
  expect(names()).toEqual(wanted)
})

test('a line that was cut off by a full disk spoils no other', async () => {
  writeFileSync(file, '{"namespace":"team-web","name":"cut","id":"kw_prod')
  const newKeys = opened()
  await newKeys.deliver(aKey('a', 1))
  await newKeys.deliver(aKey('b', 1))
  expect(
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.slice(0, 36)),
  ).toEqual([
    '{"namespace":"team-web","name":"cut"',
    '{"namespace":"team-web","name":"a","',
    '{"namespace":"team-web","name":"b","',
    '',
  ])
})

test('a file that was read and removed is made again', async () => {
  const newKeys = opened()
  await newKeys.deliver(aKey('a', 1))
  unlinkSync(file)
  await newKeys.deliver(aKey('b', 1))
  expect(names()).toEqual(['b'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a file that somebody appends to meanwhile keeps both', async () => {
  const newKeys = opened()
  await newKeys.deliver(aKey('a', 1))
  appendFileSync(file, '# taken over into the vault\n')
  await newKeys.deliver(aKey('b', 1))
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(4)
})

test('who may no longer deliver writes nothing, and keeps nobody else from it', async () => {
  const newKeys = opened()
  const outcomes = await Promise.allSettled([
    newKeys.deliver(aKey('a', 1)),
    newKeys.deliver(aKey('late', 1, () => false)),
    newKeys.deliver(aKey('b', 1)),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(outcomes[1]).toMatchObject({ reason: { code: 'taken_over', fate: 'retry' } })
  expect(names()).toEqual(['a', 'b'])
})

test('a file that can not be written is trouble that goes over', async () => {
  const folder = join(root, 'sub')
  const newKeys = opened()
  rmSync(file)
  symlinkSync(join(folder, 'nowhere'), file)
  await expect(newKeys.deliver(aKey('a', 1))).rejects.toMatchObject({ code: 'new_keys_unwritable', fate: 'retry' })
  unlinkSync(file)
  await newKeys.deliver(aKey('b', 1))
  expect(names()).toEqual(['b'])
})

test.each([
  ['a folder', () => root, /^--new-keys .* is not a regular file; "-" is standard output$/],
  ['a device', () => '/dev/null', /^--new-keys \/dev\/null is not a regular file; "-" is standard output$/],
  [
    'a place in a folder that is not there',
    () => join(root, 'no', 'new.jsonl'),
    /^--new-keys .* can't be written: ENOENT/,
  ],
])('%s is refused at the start, in a sentence', (_what, path, problem) => {
  expect(openNewKeysFile(path())).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  expect(existsSync(join(root, 'no'))).toBe(false)
})

test('standard output gets each line in one write, one after the other', async () => {
  const writes: string[] = []
  const newKeys = newKeysTo(async (line) => {
    await new Promise((resolve) => setImmediate(resolve))
    writes.push(line)
  })
  await Promise.all([newKeys.deliver(aKey('main', 1)), newKeys.deliver(aKey('other', 2))])
  expect(writes.map((line) => (JSON.parse(line) as { name: string }).name)).toEqual(['main', 'other'])
  expect(writes.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true)
})

test('a standard output that is gone is trouble', async () => {
  const newKeys = newKeysTo(() => Promise.reject(new Error('EPIPE')))
  await expect(newKeys.deliver(aKey('main', 1))).rejects.toMatchObject({ code: 'new_keys_unwritable' })
})

test('a reader that does not read is trouble within a bounded time, and gets no more lines meanwhile', async () => {
  const writes: string[] = []
  const newKeys = newKeysTo((line) => {
    writes.push(line)
    return new Promise(() => {})
  }, 30)
  const outcomes = await Promise.allSettled([newKeys.deliver(aKey('a', 1)), newKeys.deliver(aKey('b', 1))])
  expect(outcomes).toMatchObject([
    { reason: { code: 'new_keys_unwritable', fate: 'retry' } },
    { reason: { code: 'new_keys_unwritable', fate: 'retry' } },
  ])
  expect(writes).toHaveLength(1)
})
