import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Authz, startAuthz } from '../support/authz.ts'
import { grpcClient, outcomeOf } from '../support/grpc-check.ts'
import { newHome, type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const MANIFESTS = { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }

type Question = {
  readonly host?: string
  readonly method?: string
  readonly path?: string
  readonly key?: string | undefined
}

/** Asks the HTTP check as Traefik does: 200, or the status of the refusal with its code. */
async function overHttp({ checkUrl }: { readonly checkUrl: string }, question: Question): Promise<string> {
  const { host = 'api.test', method = 'GET', path = '/things', key: credential } = question
  const answer = await ask(`${checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': method, 'x-forwarded-uri': path, 'x-forwarded-host': host },
  })
  return answer.status === 200 ? '200' : `${answer.status} ${answer.json.code}`
}

const comesTo = (authz: Authz, question: Question, outcome: string, withinMs = 1000) =>
  until(outcome, async () => (await overHttp(authz, question)) === outcome, withinMs)

const run = (...args: readonly string[]) => {
  const main = join(import.meta.dirname, '../../src/main.ts')
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 })
  return { status, stderr }
}

describe('authz beside a standalone', THREE_TRIALS, () => {
  test('gives the same answers over HTTP and gRPC', async () => {
    const standalone = await startStandalone({
      manifests: {
        ...MANIFESTS,
        'off.yaml': thingsKey('off', '  state: Suspended\n'),
        'near.yaml': thingsKey('near', '  allowedCIDRs: ["10.0.0.0/8"]\n'),
      },
    })
    const authz = await startAuthz({ home: standalone.home })
    const [main, near] = [await standalone.key('team/main'), await standalone.key('team/near')]
    const questions: readonly (readonly [Question, string])[] = [
      [{ key: main.key }, '200'],
      [{ path: '/healthz' }, '200'],
      [{}, '401 missing_credential'],
      [{ key: `${main.key.slice(0, -1)}!` }, '401 invalid_key'],
      [{ key: main.key, method: 'POST' }, '403 missing_permission'],
      [{ key: main.key, path: '/others' }, '403 no_route'],
      [{ key: main.key, host: 'other.test' }, '403 unknown_host'],
      [{ key: main.key, path: '/things/%2e%2e/' }, '400 ambiguous_path'],
      [{ key: near.key }, '403 address_not_allowed'],
    ]
    for (const [question, outcome] of questions) {
      const { host = 'api.test', path = '/things', ...more } = question
      for (const server of [standalone, authz]) expect(await overHttp(server, question)).toBe(outcome)
      const port = Number(new URL(standalone.checkUrl).port) + 1
      for (const address of [authz.grpcAddress, `127.0.0.1:${port}`]) {
        expect(outcomeOf(await grpcClient(address).check({ host, path, ...more }))).toBe(outcome)
      }
    }
    expect((await ask(`${authz.adminUrl}/metrics`)).text).toContain('keyward_checks_total{listener="grpc"')
    await standalone.stop()
    expect(await authz.stop()).toBe(0)
  })

  test('follows what is minted, regenerated, suspended, edited and removed, each within a second', async () => {
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const authz = await startAuthz({ home: standalone.home })
    const first = await standalone.key('team/main')
    await comesTo(authz, { key: first.key }, '200')

    standalone.edit('new.yaml', thingsKey('late'))
    const late = await standalone.key('team/late')
    await comesTo(authz, { key: late.key }, '200')

    standalone.edit('k.yaml', thingsKey('main', '  regenerate: 1\n'))
    const second = await standalone.key('team/main', 2)
    await comesTo(authz, { key: second.key }, '200')
    expect(await overHttp(authz, { key: first.key })).toBe('401 invalid_key')

    standalone.edit('k.yaml', thingsKey('main', '  regenerate: 1\n  state: Suspended\n'))
    await comesTo(authz, { key: second.key }, '401 key_inactive')
    standalone.edit(
      'k.yaml',
      thingsKey('main', '  regenerate: 1\n').replace('"thing:read"', '"thing:read", "thing:write"'),
    )
    await comesTo(authz, { key: second.key, method: 'POST' }, '200')

    standalone.edit('a.yaml', THINGS.replace('permission: "thing:read"', 'permission: "thing:list"'))
    await comesTo(authz, { key: second.key }, '403 missing_permission')

    standalone.remove('new.yaml')
    await comesTo(authz, { key: late.key }, '401 invalid_key')
    standalone.edit('new.yaml', thingsKey('late'))
    const again = await standalone.key('team/late', 2)
    await comesTo(authz, { key: again.key, path: '/healthz' }, '200')
    await comesTo(authz, { key: again.key }, '403 missing_permission')
    expect(await overHttp(authz, { key: late.key })).toBe('401 invalid_key')
    await Promise.all([standalone.stop(), authz.stop()])
  })

  test('several read at once, and a kill of the standalone leaves them all at work', async () => {
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const all = await Promise.all([1, 2, 3].map(() => startAuthz({ home: standalone.home })))
    const { key: credential } = await standalone.key('team/main')
    for (const authz of all) await comesTo(authz, { key: credential }, '200')
    await standalone.kill()
    standalone.edit('k.yaml', thingsKey('main', '  state: Suspended\n'))
    for (const authz of all) await comesTo(authz, { key: credential }, '401 key_inactive')
    const after = await startStandalone({ home: standalone.home })
    after.edit('k.yaml', thingsKey('main'))
    for (const authz of all) await comesTo(authz, { key: credential }, '200')
    await Promise.all([after.stop(), ...all.map((authz) => authz.stop())])
  })
})

describe('authz without its standalone', THREE_TRIALS, () => {
  const started = async (): Promise<readonly [Standalone, Authz, string]> => {
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const authz = await startAuthz({ home: standalone.home })
    const { key: credential } = await standalone.key('team/main')
    await comesTo(authz, { key: credential }, '200')
    await standalone.stop()
    return [standalone, authz, credential]
  }

  test.each([
    ['suspending a key', (text: string) => `${text}  state: Suspended\n`, '401 key_inactive'],
    ['revoking it', (text: string) => `${text}  state: Revoked\n`, '401 key_inactive'],
    ['regenerating it', (text: string) => `${text}  regenerate: 1\n`, '401 invalid_key'],
    ['taking its permission away', (text: string) => text.replace('thing:read', 'thing:write'), '401 key_inactive'],
    ['removing its manifest', undefined, '401 invalid_key'],
  ])('%s is in force within a second, and taking that back as well', async (_what, edit, outcome) => {
    const [standalone, authz, credential] = await started()
    if (edit === undefined) standalone.remove('k.yaml')
    else standalone.edit('k.yaml', edit(thingsKey('main')))
    await comesTo(authz, { key: credential }, outcome)
    standalone.edit('k.yaml', thingsKey('main'))
    await comesTo(authz, { key: credential }, '200')
    await authz.stop()
  })

  test('what a manifest gives waits until a standalone has accepted it, and that is said', async () => {
    const [standalone, authz, credential] = await started()
    standalone.edit('k.yaml', thingsKey('main').replace('"thing:read"', '"thing:read", "thing:write"'))
    standalone.edit('new.yaml', thingsKey('late'))
    await until('it is said', () => authz.output().includes('"objects":2'))
    expect(await overHttp(authz, { key: credential, method: 'POST' })).toBe('403 missing_permission')
    expect(await overHttp(authz, { key: credential })).toBe('200')
    const after = await startStandalone({ home: standalone.home })
    await comesTo(authz, { key: credential, method: 'POST' }, '200')
    await comesTo(authz, { key: (await after.key('team/late')).key }, '200')
    await until('it is over', () => authz.output().includes('is accepted'))
    await Promise.all([after.stop(), authz.stop()])
  })

  test('starts on the data that a standalone left behind', async () => {
    const [standalone, first, credential] = await started()
    await first.stop()
    const authz = await startAuthz({ home: standalone.home })
    expect(await overHttp(authz, { key: credential })).toBe('200')
    await authz.stop()
  })

  test('that never ran is not ready, answers 503 and says what it waits for; it goes on once that is there', async () => {
    const home = newHome(MANIFESTS)
    const authz = await startAuthz({ home, ready: false })
    const readiness = await until('it listens', () => ask(`${authz.adminUrl}/readyz`).catch(() => undefined))
    expect([readiness.status, readiness.text]).toEqual([
      503,
      `waiting for a keyward standalone that keeps its data in ${join(home, 'data')}\n`,
    ])
    await until('the checks answer', () => overHttp(authz, {}).catch(() => undefined))
    expect(await overHttp(authz, {})).toBe('503 unavailable')
    const grpc = grpcClient(authz.grpcAddress)
    expect(outcomeOf(await grpc.check({ host: 'api.test', path: '/healthz' }))).toBe('503 unavailable')
    expect(await grpc.health()).toBe(2)
    const standalone = await startStandalone({ home })
    await authz.ready()
    expect(await grpc.health()).toBe(1)
    await comesTo(authz, { key: (await standalone.key('team/main')).key }, '200')
    expect(await authz.stop()).toBe(0)
    await standalone.stop()
  })

  test('notices that the data was restored from a copy', async () => {
    const first = await startStandalone({ manifests: MANIFESTS })
    const { home, data } = first
    const authz = await startAuthz({ home })
    const old = await first.key('team/main')
    await first.stop()
    const copy = join(home, 'copy')
    cpSync(data, copy, { recursive: true })
    first.edit('k.yaml', thingsKey('main', '  regenerate: 1\n'))
    const second = await startStandalone({ home })
    const renewed = await second.key('team/main', 2)
    await comesTo(authz, { key: renewed.key }, '200')
    await second.stop()
    first.edit('k.yaml', thingsKey('main'))
    rmSync(data, { recursive: true })
    cpSync(copy, data, { recursive: true })
    await comesTo(authz, { key: renewed.key }, '401 invalid_key', 2000)
    await comesTo(authz, { key: old.key }, '200')
    await authz.stop()
  })
})

/** A user who owns none of it. */
const NOBODY = 65_534

describe.runIf(process.getuid?.() === 0)('authz that may not write', () => {
  const readOnly = ({ home, data, manifests }: Pick<Standalone, 'home' | 'data' | 'manifests'>) => {
    for (const folder of [home, data, manifests]) chmodSync(folder, 0o755)
    for (const folder of [data, manifests]) {
      for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o644)
    }
  }

  test('follows a running standalone, and one that stopped and started again', THREE_TRIALS, async () => {
    const first = await startStandalone({ manifests: MANIFESTS })
    readOnly(first)
    const authz = await startAuthz({ home: first.home, uid: NOBODY })
    const { key: credential } = await first.key('team/main')
    await comesTo(authz, { key: credential }, '200')
    first.edit('k.yaml', thingsKey('main', '  state: Suspended\n'))
    await comesTo(authz, { key: credential }, '401 key_inactive')
    first.edit('k.yaml', thingsKey('main'))
    await comesTo(authz, { key: credential }, '200')
    await first.stop()
    await authz.stop()

    const later = await startAuthz({ home: first.home, uid: NOBODY })
    expect(await overHttp(later, { key: credential })).toBe('200')
    const second = await startStandalone({ home: first.home })
    readOnly(second)
    second.edit('new.yaml', thingsKey('late'))
    await comesTo(later, { key: (await second.key('team/late')).key }, '200', 2000)
    await second.kill()

    const last = await startAuthz({ home: first.home, uid: NOBODY })
    expect(await overHttp(last, { key: credential })).toBe('200')
    await Promise.all([later.stop(), last.stop()])
  })
})

test('an address is taken from beyond the trusted hops, by authz and by standalone', async () => {
  const args = ['--trusted-hops', '1']
  const near = thingsKey('near', '  allowedCIDRs: ["203.0.113.0/24"]\n')
  const standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': near }, args })
  const authz = await startAuthz({ home: standalone.home, args })
  const { key } = await standalone.key('team/near')
  for (const { checkUrl } of [standalone, authz]) {
    const asked = async (forwardedFor: string) => {
      const headers = { host: 'api.test', 'x-forwarded-for': forwardedFor }
      return (await ask(`${checkUrl}/check/envoy/things`, { key, headers })).status
    }
    expect([await asked('203.0.113.9, 10.0.0.2'), await asked('10.0.0.2, 203.0.113.9')]).toEqual([200, 403])
  }
  await Promise.all([authz.stop(), standalone.stop()])
})

describe('a start of authz', () => {
  test('that is called wrongly names every problem and exits 2', () => {
    const { status, stderr } = run(
      ...['authz', '--manifests', '/nowhere', '--namespace', 'team'],
      ...['--tls-cert', '/nowhere/tls.crt', '--port-offset', 'x'],
    )
    expect(status).toBe(2)
    for (const flag of ['--data', '--namespace', '--port-offset']) expect(stderr).toContain(`${flag} (KEYWARD_`)
    expect(stderr).toContain("--tls-cert (KEYWARD_TLS_CERT): /nowhere/tls.crt: can't be read (ENOENT)")
    expect(stderr).toContain('--tls-key (KEYWARD_TLS_KEY): the file with the private key is needed beside --tls-cert')
  })

  test('whose folder is missing or whose port is taken says so and exits 1', async () => {
    const home = newHome(MANIFESTS)
    const missing = run('authz', '--manifests', join(home, 'nowhere'), '--data', join(home, 'data'))
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('nowhere')])
    const standalone = await startStandalone({ home })
    const offset = String(Number(new URL(standalone.adminUrl).port) - 9090)
    const folders = ['--manifests', standalone.manifests, '--data', standalone.data]
    const taken = run('authz', ...folders, '--port-offset', offset)
    expect([taken.status, taken.stderr]).toEqual([1, expect.stringContaining(`port taken ${9090 + Number(offset)}`)])
    await standalone.stop()
  })

  test('takes variables and a file as standalone does', async () => {
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const authz = await startAuthz({ home: standalone.home, env: { KEYWARD_LOG_LEVEL: 'debug' } })
    await overHttp(authz, {})
    await until('a debug line', () => authz.output().includes('"level":"debug"'))
    await Promise.all([authz.stop(), standalone.stop()])
  })
})
