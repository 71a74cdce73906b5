/** TLS to every server of a Sentinel group and of a Cluster, and Sentinels with a password of their own. */
import { beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { Password } from '../../src/redis/password.ts'
import type { RedisLimits } from '../../src/redis/redis-limiter.ts'
import { type Authority, makeAuthority } from '../support/certificates.ts'
import { aRate, HOUR_US } from '../support/make.ts'
import { type RedisServer, startRedisCluster, startSentinels } from '../support/redis.ts'
import { clientOf, limitsOf, ready, redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const KEY = 'kw_prod_0123456789ab'
const RATE = aRate({ requests: 5, perUs: HOUR_US })

let authority: Authority
let another: Authority
beforeAll(async () => {
  ;[authority, another] = await Promise.all([makeAuthority(), makeAuthority()])
})

const addressesOf = (servers: readonly RedisServer[]): string =>
  servers.map(({ port }) => `127.0.0.1:${port}`).join(',')

const trusting = ({ caFile }: Authority) => ({ tls: { ca: caFile, cert: undefined, key: undefined } })

/** The code of the trouble that a spend ends in. */
async function codeOf(limits: RedisLimits): Promise<string> {
  try {
    await limits.spend(KEY, [RATE])
  } catch (error) {
    if (error instanceof Trouble) return error.code
    throw error
  }
  throw new Error('it was answered')
}

describe('Sentinels that speak TLS only and have a password', () => {
  test(
    'name the master, and after a failover its successor, to who trusts their authority and has it',
    THREE_TRIALS,
    async () => {
      const tls = await authority.issue(['127.0.0.1'])
      const { master, sentinels, name, masterPort } = await startSentinels({ tls, sentinelPassword: 'of-theirs' })
      const url = `rediss+sentinel://${addressesOf(sentinels)}/${name}`
      const configBy = (whom: Authority, sentinelPassword: Password | undefined) =>
        redisConfig(url, { ...trusting(whom), sentinelPassword })

      const limits = await ready(limitsOf(clientOf(configBy(authority, new Password('of-theirs'))).client))
      expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
      expect(await master.cli('EXISTS', `keyward:{${KEY}}`)).toBe('1')

      for (const [whom, password, code] of [
        [another, new Password('of-theirs'), 'redis_unreachable'],
        [authority, undefined, 'redis_noauth'],
        [authority, new Password('another'), 'redis_wrongpass'],
      ] as const) {
        const stranger = clientOf(configBy(whom, password))
        await until(`it hears of ${code}`, () => stranger.troubles.includes(code))
        expect(await codeOf(limitsOf(stranger.client))).toMatch(/^redis_/)
      }

      await master.kill()
      await until('there is another master', async () => (await masterPort()) !== master.port, 60_000)
      await ready(limits)
      expect((await limits.spend(KEY, [RATE])).ok).toBe(true)
    },
  )
})

describe('a Cluster that speaks TLS only', () => {
  test('is spent in at every node by who trusts its authority, and by nobody else', async () => {
    const { nodes } = await startRedisCluster({ tls: await authority.issue(['127.0.0.1']) })
    const url = `rediss+cluster://${addressesOf(nodes)}`
    const limits = await ready(limitsOf(clientOf(redisConfig(url, trusting(authority))).client))
    for (let i = 10; i < 40; i++) expect((await limits.spend(`${KEY.slice(0, -2)}${i}`, [RATE])).ok).toBe(true)
    for (const { cli } of nodes) expect(Number(await cli('DBSIZE'))).toBeGreaterThan(0)

    const stranger = clientOf(redisConfig(url, trusting(another)))
    await until('it hears that it is refused', () => stranger.troubles.length > 0)
    expect(await codeOf(limitsOf(stranger.client))).toBe('redis_unreachable')
  })
})
