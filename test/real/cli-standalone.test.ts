/** The commands on keys, as people type them, against a running standalone: its address and its token file are all they need. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type Ran, runKeyward } from '../support/keyward.ts'
import { apiUrlOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

let standalone: Standalone
beforeAll(async () => {
  standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }, newKeys: false })
})
afterAll(() => standalone.stop())

const run = (args: readonly string[]): Promise<Ran> => runKeyward(args, standalone.home)

const server = (url = apiUrlOf(standalone)) => ['--server', url, '--token-file', join(standalone.data, 'token')]

/** In the namespace of the manifests. */
const keyward = (...args: readonly string[]): Promise<Ran> => run([...args, ...server(), '-n', 'team'])

const NEW = ['--access-namespace', 'acme', '--environment', 'production', '--permissions', 'thing:read']

const keyIn = (out: string): string => /^Key {5}(\S+)$/m.exec(out)?.[1] ?? ''

const checked = async (credential: string) => {
  const answer = await ask(`${standalone.checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
  })
  return answer.json.code ?? answer.status
}

test('a key lives its whole life: made, claimed, looked at, regenerated, suspended, resumed, revoked', async () => {
  const made = await keyward('create', 'shop', ...NEW, '--rate-limit', '600/1m')
  expect([made.code, made.err]).toEqual([
    0,
    'apikey.keyward.dev/shop created; waiting for its credential\nCopy it now: it is shown this once and kept nowhere.\n',
  ])
  const first = keyIn(made.out)
  expect(await checked(first)).toBe(200)

  expect((await keyward('list')).out).toMatch(
    /^shop +kw_prod_\S+ +production +acme +thing:read +600\/1m +Active +never$/m,
  )
  const told = await keyward('get', 'shop')
  expect(told.out).toMatch(/^Created: .*, by standalone$/m)
  expect(told.out).toMatch(/^ {2}thing:read +held$/m)

  const again = await keyward('regenerate', 'shop', '--overlap', '1h', '-o', 'json')
  const { key: second } = JSON.parse(again.out) as { key: string }
  expect([again.code, await checked(first), await checked(second)]).toEqual([0, 200, 200])
  expect((await keyward('regenerate', 'shop', '--overlap', '0s')).code).toBe(2)
  expect(await checked(second)).toBe(200)
  const cut = await keyward('regenerate', 'shop', '--overlap', '0s', '--yes')
  const third = keyIn(cut.out)
  expect([cut.code, await checked(second), await checked(third)]).toEqual([0, 'invalid_key', 200])

  expect(await keyward('suspend', 'shop', '--wait')).toEqual({
    code: 0,
    out: 'apikey.keyward.dev/shop suspended\n',
    err: '',
  })
  expect(await checked(third)).toBe('key_inactive')
  expect((await keyward('resume', 'shop', '-o', 'name')).out).toBe('apikey.keyward.dev/shop\n')
  expect(await checked(third)).toBe(200)
  expect((await keyward('revoke', 'shop')).code).toBe(2)
  expect((await keyward('revoke', 'shop', '--yes')).code).toBe(0)
  expect(await checked(third)).toBe('key_inactive')
  expect((await keyward('resume', 'shop')).err).toContain('is revoked, and that is for good')
  const whole = standalone.output() + readFileSync(join(standalone.data, 'token'), 'utf8')
  for (const key of [first, second, third]) expect(whole).not.toContain(key.slice(-49))
})

describe('a key that a file declares', () => {
  test('is claimed once, and whatever its file says is changed there only: the refusal names file and line', async () => {
    const mine = await keyward('claim', 'main')
    expect([mine.code, await checked(keyIn(mine.out))]).toEqual([0, 200])
    const second = await keyward('claim', 'main')
    expect([second.code, second.err]).toEqual([1, expect.stringContaining('the claim was denied (AlreadyClaimed)')])
    const acts = [['suspend'], ['regenerate', '--yes'], ['revoke', '--yes']]
    for (const refused of await Promise.all(acts.map((act) => keyward(...act, 'main')))) {
      expect([refused.code, refused.out]).toEqual([1, ''])
      expect(refused.err).toMatch(/it is declared in k\.yaml:1, and is changed only there\n$/)
    }
    expect(await checked(keyIn(mine.out))).toBe(200)
  })

  test('explains itself, by its name and by its ID; nobody behind it is unknown', async () => {
    const id = (await keyward('list', '-o', 'json')).out.match(/"keyId": "(kw_prod_[0-9A-Za-z]+)"/)?.[1] ?? ''
    for (const key of ['main', id]) {
      const asked = ['explain', '--key', key, '--host', 'api.test', '--path', '/things']
      const allowed = await keyward(...asked)
      expect([key, allowed.code, allowed.out.split('\n')[0]]).toEqual([key, 0, '200 allowed'])
      expect(allowed.out).not.toContain('not to be seen')
      const denied = JSON.parse((await keyward(...asked, '--method', 'POST', '-o', 'json')).out) as object
      expect(denied).toMatchObject({ answer: 'missing_permission', status: 403, route: 'spec.routes[2] POST /things' })
    }
  })
})

test('a trial changes nothing; a wrong value is named by its flag', async () => {
  const tried = await keyward('create', 'tried', ...NEW, '--dry-run=server')
  expect([tried.code, tried.out]).toEqual([0, 'apikey.keyward.dev/tried created (server dry run)\n'])
  expect((await keyward('get', 'tried')).code).toBe(1)
  const taken = await keyward('create', 'main', ...NEW, '--dry-run=server')
  expect([taken.code, taken.err]).toEqual([1, expect.stringContaining('already exists: it is declared in k.yaml:1')])
})

/** Part of every Debian (util-linux): runs a command on a pseudo-terminal. */
const SCRIPT = '/usr/bin/script'

test.runIf(existsSync(SCRIPT))('colours are for a terminal, and not for one whose user wants none', async () => {
  const words = [process.execPath, MAIN, 'list', ...server(), '-n', 'team'].map((word) => `'${word}'`).join(' ')
  const listed = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const env = { PATH: process.env.PATH, HOME: standalone.home, TERM: 'xterm-256color', ...more }
    const child = spawn(SCRIPT, ['-qec', words, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'], env })
    return text(child.stdout)
  }
  const coloured = await listed({})
  expect(coloured).toMatch(/^main .*\u001b\[3\dm\w+\u001b\[0m/m)
  const plain = await listed({ NO_COLOR: '1' })
  expect(plain).not.toContain('\u001b')
  expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain)
  expect((await keyward('list')).out).toBe(plain.replaceAll('\r\n', '\n'))
})

test('completes what is there, and every permission that an API names', async () => {
  const completed = async (...words: string[]) => (await run(['__complete', ...words])).out
  expect(await completed('get', ...server(), '-n', 'team', 'ma')).toMatch(/^main\t\w+, production\n:4\n$/)
  expect(await completed('create', ...server(), '--access-namespace', 'acme', '--permissions', 'thing:w')).toBe(
    'thing:write\n:6\n',
  )
})

describe('who it does not let in', () => {
  test('is told so: no token, a wrong one, and somebody else', async () => {
    const unknown = await run(['list', '--server', apiUrlOf(standalone)])
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('does not know you (401)')])
    const file = join(standalone.home, 'wrong-token')
    writeFileSync(file, 'a'.repeat(43))
    expect((await run(['list', '--server', apiUrlOf(standalone), '--token-file', file])).code).toBe(1)
    const other = await keyward('list', '--as', 'ana')
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('there are no users here')])
  })

  test('or can not be reached, or is no API server', async () => {
    const away = await run(['list', '--server', 'http://127.0.0.1:9', '--request-timeout', '2s'])
    expect([away.code, away.err]).toEqual([1, expect.stringContaining("can't be reached")])
    const other = await run(['list', ...server(standalone.adminUrl)])
    expect([other.code, other.out]).toEqual([1, ''])
  })
})

test('over TLS, by the CA that is named', async () => {
  const { certFile, keyFile, caFile } = await (await makeAuthority()).issue(['127.0.0.1'])
  const secured = await startStandalone({
    manifests: { 'a.yaml': THINGS },
    args: ['--tls-cert', certFile, '--tls-key', keyFile],
  })
  const url = apiUrlOf(secured).replace('http:', 'https:')
  const flags = ['--server', url, '--token-file', join(secured.data, 'token')]
  const trusted = await run(['list', ...flags, '--certificate-authority', caFile])
  expect([trusted.code, trusted.err]).toEqual([0, 'there are no keys in the Kubernetes namespace default\n'])
  expect((await run(['list', ...flags])).err).toContain("can't be reached")
  await secured.stop()
})
