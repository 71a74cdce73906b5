/** What a command can be told about Redis: each form of the URL, and what is said of those that are none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { readRedisConfig, redisOptions } from '../../src/redis/config.ts'
import { redisTls } from '../../src/redis/redis-tls.ts'
import { makeAuthority } from '../support/certificates.ts'

const read = (given: Readonly<Record<string, string>>) => readRedisConfig(z.object(redisOptions).parse(given))
const problems = (given: Readonly<Record<string, string>>): readonly string[] => {
  const result = read(given)
  return result.ok ? [] : result.problems
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyward-redis-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('a URL of Redis', () => {
  test.each<[string, object]>([
    ['redis://r.test', { kind: 'server', host: 'r.test', port: 6379, db: 0 }],
    ['redis://r.test:7000/3', { kind: 'server', host: 'r.test', port: 7000, db: 3 }],
    ['redis://[::1]:7000', { kind: 'server', host: '::1', port: 7000, db: 0 }],
    ['rediss://10.0.0.1/', { kind: 'server', host: '10.0.0.1', port: 6379, db: 0 }],
    [
      'redis+sentinel://a.test,b.test:1/my-master/2',
      {
        kind: 'sentinel',
        name: 'my-master',
        db: 2,
        sentinels: [
          { host: 'a.test', port: 26379 },
          { host: 'b.test', port: 1 },
        ],
      },
    ],
    [
      'redis+cluster://a.test:1,b.test',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a.test', port: 1 },
          { host: 'b.test', port: 6379 },
        ],
      },
    ],
  ])('%s', (url, at) => {
    expect(parseRedisUrl(url)).toMatchObject({ ok: true, value: { at, tls: url.startsWith('rediss') } })
  })

  test('holds user and password, percent-encoded, and a password may contain anything', () => {
    const parsed = parseRedisUrl('rediss+sentinel://me%40x:p%2F%3A%25@w@a.test/m')
    if (!parsed.ok) throw new Error(parsed.problem)
    expect([parsed.value.username, parsed.value.password?.text()]).toEqual(['me@x', 'p/:%@w'])
  })

  test.each([
    'r.test:6379',
    'http://r.test',
    'redis://',
    'redis://r.test:0',
    'redis://r.test:70000',
    'redis://r.test/x',
    'redis://r.test/5000',
    'redis://r.test/1/2',
    'redis://a.test,b.test',
    'redis+sentinel://a.test',
    'redis+sentinel://a.test/m/x',
    'redis+cluster://a.test/1',
    'redis+cluster://',
    'redis://r.test?db=1',
    'redis://us%ZZer:x@r.test',
    'redis://r test',
    '',
  ])('%j is none, and it is said which is', (url) => {
    const [problem] = problems({ redis: url })
    expect(problem).toMatch(/^--redis \(KEYWARD_REDIS\): /)
  })

  test.each([
    'redis://user:s3cretpass@r.test:x',
    'redis://user:s3cretpass@r.test/zero',
    'redis://user:s3cretpass@',
    'redis://:s3cretpass@a,b',
    'redis://user:s3cretpass',
    'redis://user:a://s3cretpass@r.test:0',
    'redis://r.test?password=s3cretpass',
    'redis://user:%s3cretpass@r.test',
    'http://user:s3cretpass@r.test',
    's3cretpass',
  ])('what is wrong with %s is said without its password', (url) => {
    const said = problems({ redis: url })
    expect(said).toHaveLength(1)
    expect(said.join()).not.toContain('s3cret')
  })

  test('is shown without its login where it is wrong', () => {
    expect(problems({ redis: 'redis://user:pw@r.test:6379/zero' })).toEqual([
      '--redis (KEYWARD_REDIS): redis://r.test:6379/zero: needs a database from 0 to 1023 after the last /, or none',
    ])
  })
})

describe('what goes with it', () => {
  test('is nothing where no Redis is named, and a mistake where something is', () => {
    expect(read({})).toEqual({ ok: true, config: undefined })
    expect(problems({ redisCa: 'ca.pem', redisPasswordFile: 'x' })).toEqual([
      '--redis-password-file (KEYWARD_REDIS_PASSWORD_FILE): needs --redis, the URL of the server',
      '--redis-ca (KEYWARD_REDIS_CA): needs --redis, the URL of the server',
    ])
  })

  test('can be the password, by file, by variable or in the URL, once', () => {
    const path = file('password', 's3cret\n')
    for (const given of [{ redisPasswordFile: path }, { redisPassword: 's3cret' }]) {
      const result = read({ redis: 'redis://me@r.test', ...given })
      expect(result.ok && result.config?.password?.text()).toBe('s3cret')
    }
    expect(problems({ redis: 'redis://me:a@r.test', redisPasswordFile: path }).join()).toMatch(/given twice/)
    expect(problems({ redis: 'redis://me@r.test' }).join()).toMatch(/user without a password/)
  })

  test('names each file that can not be read, and that is no password', () => {
    const empty = file('empty', '\n')
    const two = file('two', 's3cret\nmore\n')
    expect(problems({ redis: 'redis://r.test', redisPasswordFile: `${folder}/none` })).toEqual([
      `--redis-password-file (KEYWARD_REDIS_PASSWORD_FILE): ${folder}/none can't be read (ENOENT)`,
    ])
    for (const path of [empty, two]) {
      expect(problems({ redis: 'redis://r.test', redisPasswordFile: path })).toEqual([
        `--redis-password-file (KEYWARD_REDIS_PASSWORD_FILE): ${path} must hold one line, the password`,
      ])
    }
  })

  test('can be certificates, only with TLS, and only together', () => {
    const pem = file('ca.pem', 'no certificate')
    expect(problems({ redis: 'redis://r.test', redisCa: pem })).toEqual([
      '--redis-ca (KEYWARD_REDIS_CA): needs TLS: say rediss:// in --redis',
    ])
    expect(problems({ redis: 'rediss://r.test', redisCert: pem })).toEqual([
      '--redis-key (KEYWARD_REDIS_KEY): certificate and key are needed together',
    ])
    expect(problems({ redis: 'rediss://r.test', redisCa: `${folder}/none` })).toEqual([
      `--redis-ca (KEYWARD_REDIS_CA): ${folder}/none can't be read (ENOENT)`,
    ])
    expect(problems({ redis: 'rediss://r.test', redisCert: pem, redisKey: pem }).join()).toMatch(/not PEM/)
    expect(problems({ redis: 'rediss://r.test', redisCa: pem })).toEqual([
      `--redis-ca (KEYWARD_REDIS_CA): ${pem} does not hold certificates in PEM form only`,
    ])
  })

  test('is never printed where it is secret', () => {
    const result = read({ redis: 'redis://me:s3cret@r.test' })
    expect(inspect(result, { depth: 9, showHidden: true }) + JSON.stringify(result)).not.toContain('s3cret')
  })
})

test('a CA that is half written leaves the one before in force, and is told of', async () => {
  const { ca } = await makeAuthority()
  const path = file('renewed.pem', ca)
  const told: string[] = []
  const options = redisTls({ ca: path, cert: undefined, key: undefined }, ({ code }) => told.push(code))
  const before = options.secureContext
  for (const half of [ca.slice(0, 200), '']) {
    file('renewed.pem', half)
    expect(options.secureContext).toBe(before)
  }
  expect(told).toEqual(['redis_certificate_unreadable', 'redis_certificate_unreadable'])
  file('renewed.pem', ca)
  expect(options.secureContext).not.toBe(before)
})
