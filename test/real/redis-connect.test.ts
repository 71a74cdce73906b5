/** Connecting to a real Redis: TLS, users and their least permissions, passwords, Sentinel, and a Redis that comes and goes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { Trouble } from '../../src/core/trouble.ts'
import { readRedisConfig, redisOptions } from '../../src/redis/config.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { awakeMs } from '../support/awake.ts'
import { makeAuthority } from '../support/certificates.ts'
import { aQuota, aRate, HOUR_US } from '../support/make.ts'
import { freePort, temporaryFolder } from '../support/process.ts'
import { startRedis, startRedisCluster, startSentinels } from '../support/redis.ts'
import { clientOf, limitsOf, ready, readyLimits, redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const KEY = 'kw_prod_0123456789ab'
const RATE = aRate({ requests: 5, perUs: HOUR_US })

/** As docs/limits.md has it, for one server; Sentinel and Cluster need one more each. */
const LEAST = ['resetkeys', '~keyward:*', 'resetchannels', '-@all', '+eval', '+evalsha', '+get', '+set', '+time']

const withUser = (password: string, more: readonly string[] = []) => ({
  args: ['--user', 'keyward', 'on', `>${password}`, ...LEAST, ...more, '--requirepass', 'admin'],
  cliArgs: ['--pass', 'admin', '--no-auth-warning'],
})

/** The second names the connections that ask for the nodes: refused it does no harm, but is in the server's log. */
const OF_A_CLUSTER = ['+cluster|slots', '+client|setname']

/** What the command line would give, read as a command reads it. */
function configured(given: Readonly<Record<string, string>>) {
  const read = readRedisConfig(z.object(redisOptions).parse(given))
  if (!read.ok) throw new Error(read.problems.join('\n'))
  if (read.config === undefined) throw new Error('no Redis')
  return read.config
}

/** The trouble that a spend ends in. */
async function troubleOf(spending: () => unknown): Promise<Trouble> {
  try {
    await spending()
  } catch (error) {
    if (error instanceof Trouble) return error
    throw error
  }
  throw new Error('it was answered')
}

/** Everything that an error could show, its causes too. */
const shown = (error: Error): string =>
  `${error.stack} ${JSON.stringify(error)} ${error.cause instanceof Error ? shown(error.cause) : ''}`

describe('a user of Redis', () => {
  test('needs exactly the permissions of docs/limits.md, and has no others', async () => {
    const redis = await startRedis(withUser('s3cret'))
    const limits = await readyLimits(`redis://keyward:s3cret@127.0.0.1:${redis.port}`, { leaseSize: () => 10 })
    const of = [RATE, aQuota({ requests: 100 })]
    expect((await limits.spend(KEY, of)).ok).toBe(true)
    await limits.stop()
    expect(await redis.cli('ACL', 'LOG')).toBe('')
    for (const missing of ['-eval', '-get', '-set', '-time']) {
      await redis.cli('ACL', 'SETUSER', 'keyward', missing)
      await redis.cli('SCRIPT', 'FLUSH')
      const other = limitsOf(clientOf(redisConfig(`redis://keyward:s3cret@127.0.0.1:${redis.port}`)).client)
      await until(
        `${missing} is missed`,
        async () => (await troubleOf(() => other.spend(KEY, [RATE]))).code === 'redis_noperm',
      )
      await redis.cli('ACL', 'SETUSER', 'keyward', missing.replace('-', '+'))
    }
  })

  test('needs to ask for the nodes in a Cluster, and nothing else', async () => {
    const { nodes } = await startRedisCluster()
    for (const { cli } of nodes) await cli('ACL', 'SETUSER', 'keyward', 'on', '>s3cret', ...LEAST, ...OF_A_CLUSTER)
    const url = `redis+cluster://keyward:s3cret@${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const limits = await readyLimits(url)
    for (let i = 0; i < 30; i++)
      expect((await limits.spend(`${KEY.slice(0, -2)}${String(i).padStart(2, '0')}`, [RATE])).ok).toBe(true)
    for (const { cli } of nodes) expect(await cli('ACL', 'LOG')).toBe('')
  })
})

test('another database than the first needs one permission more', async () => {
  const redis = await startRedis(withUser('s3cret', ['+select']))
  const limits = await readyLimits(`redis://keyward:s3cret@127.0.0.1:${redis.port}/3`)
  expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
  expect(await redis.cli('-n', '3', 'EXISTS', `keyward:{${KEY}}`)).toBe('1')
  expect(await redis.cli('ACL', 'LOG')).toBe('')
})

describe('a password', () => {
  test('that is wrong is told as a code, without the password, its user or the command', async () => {
    const redis = await startRedis(withUser('s3cret'))
    const { client, troubles } = clientOf(redisConfig(`redis://keyward:wr0ng-pass@127.0.0.1:${redis.port}`))
    const limits = limitsOf(client)
    await until('the server has said so', () => troubles.includes('redis_wrongpass'))
    const trouble = await until('it is why nothing can be asked', async () => {
      const one = await troubleOf(() => limits.spend(KEY, [RATE]))
      return one.code === 'redis_wrongpass' && one
    })
    expect(shown(trouble)).not.toContain('wr0ng-pass')
    expect(trouble.fate).toBe('retry')
  })

  test('that is missing is told as such', async () => {
    const redis = await startRedis({
      args: ['--requirepass', 's3cret'],
      cliArgs: ['--pass', 's3cret', '--no-auth-warning'],
    })
    const limits = limitsOf(clientOf(redisConfig(redis.url)).client)
    await until(
      'the server has said so',
      async () => (await troubleOf(() => limits.spend(KEY, [RATE]))).code === 'redis_noauth',
    )
  })

  test('that is put right at the server is used without a restart', async () => {
    const redis = await startRedis(withUser('old'))
    const { client, troubles } = clientOf(redisConfig(`redis://keyward:new@127.0.0.1:${redis.port}`))
    const limits = limitsOf(client)
    await until('it is refused', () => troubles.includes('redis_wrongpass'))
    await redis.cli('ACL', 'SETUSER', 'keyward', '>new')
    await ready(limits)
  })

  test('comes from a file, and its last line break is none of it', async () => {
    const redis = await startRedis(withUser('from a file'))
    const path = join(temporaryFolder(), 'password')
    writeFileSync(path, 'from a file\n')
    const config = configured({ redis: `redis://keyward@127.0.0.1:${redis.port}`, redisPasswordFile: path })
    expect((await (await ready(limitsOf(clientOf(config).client))).spend(KEY, [RATE])).ok).toBe(true)
  })
})

describe('TLS', () => {
  test('with an authority and a client certificate of ours counts; without either it does not', async () => {
    const authority = await makeAuthority()
    const [server, own] = await Promise.all([authority.issue(['127.0.0.1']), authority.issue(['keyward'])])
    const redis = await startRedis({ tls: server, clientCertificates: true })
    const files = { redisCa: authority.caFile, redisCert: own.certFile, redisKey: own.keyFile }
    const limits = await ready(limitsOf(clientOf(configured({ redis: redis.url, ...files })).client))
    expect((await limits.spend(KEY, [RATE])).ok).toBe(true)

    const stranger = clientOf(configured({ redis: redis.url, redisCa: authority.caFile }))
    const unknown = limitsOf(stranger.client)
    await until('it is refused', () => stranger.troubles.length > 0)
    await troubleOf(() => unknown.spend(KEY, [RATE]))
  })

  test('is not spoken to a server of another authority, or of another name', async () => {
    const [authority, another] = await Promise.all([makeAuthority(), makeAuthority()])
    for (const [names, ca, code] of [
      [['127.0.0.1'], another.caFile, /SELF_SIGNED|UNABLE_TO|SIGNATURE/],
      [['elsewhere.test'], authority.caFile, /ALTNAME/],
    ] as const) {
      const redis = await startRedis({ tls: await authority.issue(names) })
      const limits = limitsOf(clientOf(configured({ redis: redis.url, redisCa: ca })).client)
      await until('it is said why', async () => code.test(shown(await troubleOf(() => limits.spend(KEY, [RATE])))))
    }
  })

  test('takes renewed files at its next connection', async () => {
    const [old, renewed] = await Promise.all([makeAuthority(), makeAuthority()])
    const port = await freePort()
    const first = await startRedis({ port, tls: await old.issue(['127.0.0.1']) })
    const caFile = join(temporaryFolder(), 'ca.pem')
    const { readFileSync } = await import('node:fs')
    writeFileSync(caFile, readFileSync(old.caFile))
    const limits = await ready(limitsOf(clientOf(configured({ redis: first.url, redisCa: caFile })).client))
    await first.stop()
    writeFileSync(caFile, 'half writ')
    await startRedis({ port, tls: await renewed.issue(['127.0.0.1']) })
    await troubleOf(() => limits.spend(KEY, [RATE]))
    writeFileSync(caFile, readFileSync(renewed.caFile))
    await ready(limits)
  })
})

describe('a Redis that is not there', () => {
  test('refuses at once and not after a while, and is used within two seconds of its start', THREE_TRIALS, async () => {
    const port = await freePort()
    const limits = limitsOf(clientOf(redisConfig(`redis://127.0.0.1:${port}`)).client)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const before = awakeMs()
    expect(shown(await troubleOf(() => limits.spend(KEY, [RATE])))).toContain('ECONNREFUSED')
    expect(awakeMs() - before).toBeLessThan(50)
    await startRedis({ port })
    await ready(limits, 2000)
  })

  test('that ends and starts again is used within two seconds', THREE_TRIALS, async () => {
    const redis = await startRedis({ persist: true })
    const limits = await readyLimits(redis.url)
    for (let i = 0; i < 5; i++) expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
    await redis.kill()
    expect((await troubleOf(() => limits.spend(KEY, [RATE]))).code).toBe('redis_unreachable')
    await redis.restart()
    await ready(limits, 2000)
    expect((await limits.spend(KEY, [RATE])).ok).toBe(false)
  })

  test('that says nothing is given up after a second, and what waited for it is refused', THREE_TRIALS, async () => {
    const redis = await startRedis()
    const limits = await readyLimits(redis.url)
    redis.pause()
    const before = awakeMs()
    expect((await troubleOf(() => limits.spend(KEY, [RATE]))).code).toBe('redis_unreachable')
    expect(awakeMs() - before).toBeLessThan(2500)
    redis.resume()
    await ready(limits)
  })

  test('that has become a replica is refused as such', async () => {
    const [master, redis] = await Promise.all([startRedis(), startRedis()])
    const limits = await readyLimits(redis.url)
    await redis.cli('REPLICAOF', '127.0.0.1', String(master.port))
    await until(
      'it writes no more',
      async () => (await troubleOf(() => limits.spend(KEY, [RATE]))).code === 'redis_readonly',
    )
    await redis.cli('REPLICAOF', 'NO', 'ONE')
    await ready(limits)
  })

  test('and is a Cluster is used once it is, whether it was there at the start or not', async () => {
    const { nodes } = await startRedisCluster()
    const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const before = await readyLimits(url)
    await Promise.all(nodes.map(({ kill }) => kill()))
    const after = limitsOf(clientOf(redisConfig(url)).client)
    for (const limits of [before, after]) expect((await troubleOf(() => limits.spend(KEY, [RATE]))).fate).toBe('retry')
    const started = await Promise.all(nodes.map(({ restart }) => restart()))
    await until(
      'the cluster is ok',
      async () =>
        (await Promise.all(started.map(({ cli }) => cli('CLUSTER', 'INFO')))).every((said) =>
          said.includes('state:ok'),
        ),
      60_000,
    )
    const keys = Array.from({ length: 20 }, (_, i) => `${KEY.slice(0, -2)}${String(i).padStart(2, '0')}`)
    for (const limits of [before, after]) {
      await until('all nodes count', () =>
        Promise.all(keys.map(async (key) => limits.spend(key, [RATE]))).then(
          () => true,
          () => false,
        ),
      )
    }
  })

  test('ends without a connection left where it is stopped', async () => {
    const redis = await startRedis()
    const client = connectRedis(redisConfig(redis.url))
    onTestFinished(() => client.disconnect())
    const limits = await ready(limitsOf(client))
    await limits.stop()
    client.disconnect()
    await until(
      'nobody but this redis-cli is connected',
      async () => (await redis.cli('CLIENT', 'LIST')).split('\n').length === 1,
    )
  })
})

test(
  'the master behind Sentinels is found, and after a failover its successor, by a user that may ask for its role too',
  THREE_TRIALS,
  async () => {
    const { master, replicas, sentinels, name, masterPort } = await startSentinels()
    for (const { cli } of [master, ...replicas])
      await cli('ACL', 'SETUSER', 'keyward', 'on', '>s3cret', ...LEAST, '+info')
    const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const limits = await readyLimits(`redis+sentinel://keyward:s3cret@${addresses}/${name}`)
    expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
    expect(await master.cli('EXISTS', `keyward:{${KEY}}`)).toBe('1')
    expect(await master.cli('ACL', 'LOG')).toBe('')
    await master.kill()
    await until('there is another master', async () => (await masterPort()) !== master.port, 60_000)
    await ready(limits)
    expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
  },
)
