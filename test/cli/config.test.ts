import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { AuthzConfig } from '../../src/authz/run.ts'
import { Trouble } from '../../src/core/trouble.ts'
import { loadConfig, readConfigFile } from '../../src/runtime/config.ts'
import { explained } from '../../src/runtime/running.ts'
import { StandaloneConfig } from '../../src/standalone/config.ts'

const load = (flags: Record<string, unknown>, env: Record<string, string> = {}, file?: Record<string, unknown>) =>
  loadConfig(StandaloneConfig, { flags, env, file })

test('what nothing is said about holds its default', () => {
  expect(load({ manifests: 'm' })).toEqual({
    ok: true,
    config: {
      manifests: 'm',
      data: '.keyward',
      portOffset: 0,
      listen: '127.0.0.1',
      trustedHops: 0,
      logLevel: 'info',
    },
  })
})

test('a flag beats a variable, and a variable beats the file', () => {
  const env = { KEYWARD_DATA: 'by-env', KEYWARD_PORT_OFFSET: '7', HOME: '/root' }
  const loaded = load({ manifests: 'm', data: 'by-flag' }, env, { portOffset: 9, listen: '0.0.0.0' })
  expect(loaded).toMatchObject({ ok: true, config: { data: 'by-flag', portOffset: 7, listen: '0.0.0.0' } })
})

test('every problem is named at once, by flag and variable, with what would be right', () => {
  const loaded = load(
    { upstream: 'ftp://x', portOffset: 'many', logLevel: 'loud' },
    { KEYWARD_PROT_OFFSET: '1' },
    { manifest: 'x' },
  )
  expect(loaded.ok).toBe(false)
  if (loaded.ok) return
  expect(loaded.problems).toEqual([
    '--manifests (KEYWARD_MANIFESTS): the folder with the manifests is needed',
    '--upstream (KEYWARD_UPSTREAM): an http URL (https is not spoken yet) without path or password, such as http://127.0.0.1:3000',
    '--port-offset (KEYWARD_PORT_OFFSET): a whole number is needed',
    '--log-level (KEYWARD_LOG_LEVEL): one of debug, info, warn, error',
    'KEYWARD_PROT_OFFSET: no such variable; there are KEYWARD_MANIFESTS, KEYWARD_DATA, KEYWARD_UPSTREAM, KEYWARD_NEW_KEYS, KEYWARD_PORT_OFFSET, KEYWARD_LISTEN, KEYWARD_TLS_CERT, KEYWARD_TLS_KEY, KEYWARD_CLIENT_CA, KEYWARD_TRUSTED_HOPS, KEYWARD_LOG_LEVEL',
    'manifest: the configuration file knows manifests, data, upstream, newKeys, portOffset, listen, tlsCert, tlsKey, clientCa, trustedHops, logLevel',
  ])
})

test('what Kubernetes sets in a pod for Services named keyward is no setting, and no mistyped one', () => {
  const links = {
    KEYWARD_SERVICE_HOST: '10.96.0.7',
    KEYWARD_SERVICE_PORT: '9000',
    KEYWARD_SERVICE_PORT_HTTP_CHECK: '9000',
    KEYWARD_PORT: 'tcp://10.96.0.7:9000',
    KEYWARD_AUTHZ_PORT_9001_TCP: 'tcp://10.96.0.8:9001',
    KEYWARD_AUTHZ_PORT_9001_TCP_PROTO: 'tcp',
    KEYWARD_AUTHZ_PORT_9001_TCP_PORT: '9001',
    KEYWARD_AUTHZ_PORT_9001_TCP_ADDR: '10.96.0.8',
    KEYWARD_REDIS_PORT: 'tcp://10.96.0.9:6379',
  }
  expect(load({ manifests: 'm', data: 'd' }, links)).toMatchObject({
    ok: true,
    config: { manifests: 'm', portOffset: 0 },
  })
})

test('which of the replicas this one is counts from 0, and is below their number', () => {
  const authz = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
    loadConfig(AuthzConfig, { flags: { manifests: 'm', data: 'd', ...flags }, env, file: undefined })
  expect(authz({ replicas: '3' }, { KEYWARD_REPLICA: '2' })).toMatchObject({
    ok: true,
    config: { replicas: 3, replica: 2 },
  })
  const below = '--replica (KEYWARD_REPLICA): must be below --replicas: the first of them is 0'
  expect(authz({ replicas: '3', replica: '3' })).toEqual({ ok: false, problems: [below] })
  expect(authz({ replica: '1' })).toEqual({ ok: false, problems: [below] })
  expect(authz({ replica: '1', portOffset: 'many' })).toMatchObject({
    problems: ['--port-offset (KEYWARD_PORT_OFFSET): a whole number is needed', below],
  })
})

test.each([
  ['a quote that stays open', 'logLevel: info\nredisPassword: "s3cret\nredis: redis://u:s3cret@r\n'],
  ['a name that YAML takes for an alias', 'redisPassword: *s3cret\n'],
  ['one that it takes for a tag', 'redisPassword: !s3cret x\n'],
])('a configuration file that is no YAML is named by its line, and nothing of it is quoted: %s', (_what, text) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'config.yaml')
  writeFileSync(path, text)
  const said = troubleOf(path)
  expect(explained(said)).toMatch(/^config file unreadable \(line \d+ /)
  expect(inspect(said, { depth: 9 })).not.toContain('s3cret')
})

test('a configuration file that is not there is named', () => {
  expect(explained(troubleOf('/nowhere/config.yaml'))).toMatch(/^config file unreadable \(ENOENT: .*config\.yaml'\)$/)
})

function troubleOf(path: string): Trouble {
  try {
    readConfigFile(path)
  } catch (error) {
    if (error instanceof Trouble) return error
    throw error
  }
  throw new Error('it was read')
}
