import { spawnSync } from 'node:child_process'
import { Agent, createServer, get as httpGet, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { startEcho } from '../support/echo-upstream.ts'
import { newHome, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

const run = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 60_000 })
  return { status, stdout, stderr }
}

/** Asks the HTTP check as Traefik does. */
const checked = (checkUrl: string, credential: string, path = '/things') =>
  ask(`${checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': path, 'x-forwarded-host': 'api.test' },
  })

let echo: Awaited<ReturnType<typeof startEcho>>
let upstream = ''
beforeAll(async () => {
  echo = await startEcho()
  upstream = `http://127.0.0.1:${echo.port}`
})
afterAll(() => echo.stop())

describe('a start', () => {
  test('is ready when folder and store are in force, and says so on 9090', async () => {
    const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }, upstream })
    expect((await ask(`${standalone.adminUrl}/livez`)).status).toBe(200)
    const metrics = (await ask(`${standalone.adminUrl}/metrics`)).text
    expect(metrics).toContain('keyward_keys 1')
    expect(metrics).toContain('keyward_manifest_problems 0')
    const { key: credential } = await standalone.key('team/main')
    expect((await checked(standalone.checkUrl, credential)).status).toBe(200)
    expect((await ask(`${standalone.url}/things`, { host: 'api.test', key: credential })).status).toBe(200)
    expect(await standalone.stop()).toBe(0)
    expect(standalone.output()).not.toContain(credential.slice(-49))
  })

  test('that lacks its folder, or finds its port or data in use, says which and exits 1', async () => {
    const home = newHome({ 'a.yaml': THINGS })
    const missing = run('standalone', '--manifests', join(home, 'nowhere'), '--data', join(home, 'd1'))
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('nowhere')])

    const first = await startStandalone({ home })
    const { port } = new URL(first.adminUrl)
    const offset = String(Number(port) - 9090)
    const samePort = run(
      'standalone',
      '--manifests',
      first.manifests,
      '--data',
      join(home, 'd2'),
      '--port-offset',
      offset,
    )
    expect([samePort.status, samePort.stderr]).toEqual([1, expect.stringContaining(`port taken ${port}`)])
    const sameData = run('standalone', '--manifests', first.manifests, '--data', first.data, '--port-offset', '999')
    expect([sameData.status, sameData.stderr]).toEqual([
      1,
      expect.stringContaining('in use by another keyward standalone'),
    ])
    await first.stop()
  })

  test('that is called wrongly names every problem and exits 2', () => {
    const { status, stderr } = run('standalone', '--upstream', 'nonsense', '--port-offset', '-1')
    expect(status).toBe(2)
    expect(stderr).toContain('--manifests')
    expect(stderr).toContain('--upstream')
    expect(stderr).toContain('--port-offset')
    expect(run('standalone', '--no-such-option').status).toBe(2)
    expect(run('frobnicate').status).toBe(2)
    expect(run('--help').status).toBe(0)
  })

  test('knows the keys of the run before, also after it was killed', async () => {
    const before = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
    const { key: credential } = await before.key('team/main')
    await before.kill()
    const after = await startStandalone({ home: before.home })
    expect((await checked(after.checkUrl, credential)).status).toBe(200)
    expect(after.keys()).toHaveLength(1)
    await after.stop()
  })

  test('judges what changed meanwhile as a live edit: what would be refused leaves the last accepted form in force', async () => {
    const manifests = { 'a.yaml': THINGS, 'k.yaml': thingsKey('main', '  expiresAt: "2999-01-01T00:00:00Z"\n') }
    const before = await startStandalone({ manifests })
    const { key: credential } = await before.key('team/main')
    await before.stop()
    before.edit('k.yaml', thingsKey('main', '  expiresAt: "2998-01-01T00:00:00Z"\n'))
    const after = await startStandalone({ home: before.home })
    expect((await checked(after.checkUrl, credential)).status).toBe(200)
    const told = after
      .output()
      .split('\n')
      .find((line) => line.includes('manifest problem'))
    expect(JSON.parse(told ?? '{}')).toMatchObject({
      level: 'error',
      message: 'manifest problem',
      file: 'k.yaml',
      line: 8,
      field: 'spec.expiresAt',
      object: 'ApiKey team/main',
      problem: expect.stringContaining("expiresAt can't be changed"),
    })
    await after.stop()
  })
})

describe('explain', () => {
  const ask = (home: string, key: string, more: readonly string[] = []) =>
    run(
      'explain',
      '--manifests',
      join(home, 'manifests'),
      '--key',
      key,
      '--host',
      'api.test',
      '--path',
      '/things',
      ...more,
    )

  test('says which rule answers, by name and by key ID, beside a running standalone', async () => {
    const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
    const { id, key: credential } = await standalone.key('team/main')
    expect(ask(standalone.home, 'team/main').stdout).toContain('200 allowed')
    const byId = ask(standalone.home, id, ['--data', standalone.data, '--method', 'DELETE', '-o', 'json'])
    expect(JSON.parse(byId.stdout)).toMatchObject({ answer: 'no_route', status: 403, api: 'team/things' })
    const pasted = ask(standalone.home, credential, ['--data', standalone.data])
    expect(pasted.status).toBe(2)
    expect(pasted.stdout + pasted.stderr).not.toContain(credential.slice(-49))
    expect(pasted.stderr).toContain('never by the key itself')
    expect(ask(standalone.home, 'team/nobody').stderr).toContain('there is no ApiKey "team/nobody"')
    expect(ask(standalone.home, id).stderr).toContain('give --data')
    expect(ask(standalone.home, 'team/main', ['-o', 'xml']).status).toBe(2)
    await standalone.stop()
  })

  test('without its folder says so', () => {
    const { status, stderr } = ask('/nowhere', 'team/main')
    expect([status, stderr]).toEqual([1, expect.stringContaining('/nowhere/manifests')])
  })
})

describe('whoever reads its output', () => {
  test('may go without taking the process down', async () => {
    const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
    const { key: credential } = await standalone.key('team/main')
    standalone.process.stderr?.destroy()
    standalone.process.stdout?.destroy()
    standalone.edit('k.yaml', `${thingsKey('main')}  state: Suspended\n`)
    await until('suspended', async () => (await checked(standalone.checkUrl, credential)).status === 401)
    standalone.edit('k.yaml', thingsKey('main'))
    await until('active', async () => (await checked(standalone.checkUrl, credential)).status === 200)
    await standalone.kill()
  })
})

describe('a live edit', () => {
  test.each([
    ['suspending a key', (text: string) => `${text}  state: Suspended\n`, 'key_inactive'],
    ['revoking a key', (text: string) => `${text}  state: Revoked\n`, 'key_inactive'],
    ['taking its permission away', (text: string) => text.replace('thing:read', 'thing:write'), 'missing_permission'],
    ['regenerating it', (text: string) => `${text}  regenerate: 1\n`, 'invalid_key'],
  ])('%s is in force within a second', THREE_TRIALS, async (_what, edit, code) => {
    const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
    const { key: credential } = await standalone.key('team/main')
    expect((await checked(standalone.checkUrl, credential)).status).toBe(200)
    standalone.edit('k.yaml', edit(thingsKey('main')))
    await until(code, async () => (await checked(standalone.checkUrl, credential)).json.code === code, 1000)
    await standalone.stop()
  })

  test('a removed manifest ends its key, and the same name made again is another key', THREE_TRIALS, async () => {
    const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
    const first = await standalone.key('team/main')
    standalone.remove('k.yaml')
    await until('gone', async () => (await checked(standalone.checkUrl, first.key)).status === 401, 1000)
    standalone.edit('k.yaml', thingsKey('main'))
    const second = await standalone.key('team/main', 2)
    expect(second.id).not.toBe(first.id)
    expect((await checked(standalone.checkUrl, first.key)).status).toBe(401)
    expect((await checked(standalone.checkUrl, second.key)).status).toBe(200)
    await standalone.stop()
  })
})

describe('an orderly stop', () => {
  test('answers everything that is under way', async () => {
    const asked: ServerResponse[] = []
    const slow = createServer((_, response) => asked.push(response))
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    const manifests = { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }
    const { port } = slow.address() as AddressInfo
    const standalone = await startStandalone({ manifests, upstream: `http://127.0.0.1:${port}` })
    const { key: credential } = await standalone.key('team/main')
    const under = Array.from({ length: 20 }, () =>
      ask(`${standalone.url}/things`, { host: 'api.test', key: credential }),
    )
    await until('all are at the upstream', () => asked.length === 20)
    const stopped = standalone.stop()
    setTimeout(() => asked.map((response) => response.end('done')), 300)
    const answers = await Promise.all(under)
    expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual(Array(20).fill('200 done'))
    expect(await stopped).toBe(0)
    slow.close()
  })

  test(
    'proxies that keep asking on kept connections see no failure, and it does not take long',
    THREE_TRIALS,
    async () => {
      const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') } })
      const { key: credential } = await standalone.key('team/main')
      const agent = new Agent({ keepAlive: true, maxSockets: 8 })
      const headers = {
        'x-api-key': credential,
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/things',
        'x-forwarded-host': 'api.test',
      }
      let refusedConnections = 0
      const failures: string[] = []
      let going = true
      const askOn = async () => {
        while (going) {
          await new Promise<void>((resolve) => {
            const request = httpGet(`${standalone.checkUrl}/check/forwarded`, { agent, headers }, (response) => {
              if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`)
              response.resume().on('end', resolve)
            })
            request.on('error', (error: NodeJS.ErrnoException) => {
              // nobody listens any more: a proxy takes another replica then, and nothing that was begun is lost
              if (error.code === 'ECONNREFUSED') refusedConnections++
              else failures.push(String(error.code))
              going = false
              resolve()
            })
          })
        }
      }
      const askers = Array.from({ length: 8 }, askOn)
      await new Promise((resolve) => setTimeout(resolve, 300))
      const from = performance.now()
      expect(await standalone.stop()).toBe(0)
      expect(performance.now() - from).toBeLessThan(15_000)
      await Promise.all(askers)
      expect(failures).toEqual([])
      expect(refusedConnections).toBeGreaterThan(0)
      agent.destroy()
    },
  )
})
