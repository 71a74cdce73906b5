/** A Redis that answers and will not count, or that forgot what it counted: seen by whoever asks for limits meanwhile. */
import { expect, test } from 'vitest'
import type { Replica } from '../support/limits-load.ts'
import { startRedis } from '../support/redis.ts'
import { throughFault, underLoad } from '../support/redis-fault.ts'
import { redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'

const USER = ['--user', 'keyward', 'on', '>secret', '~keyward:*', '+@all']
const urlOf = (port: number) => `redis://keyward:secret@127.0.0.1:${port}`

/** Why limits fell back, of all times; a busy machine may have been late besides. */
const whyOf = (replicas: readonly Replica[]) => replicas.flatMap(({ lines }) => lines.map(({ why }) => why))

test('a master that was made a replica (READONLY)', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const { replicas } = await throughFault({
    config: redisConfig(redis.url),
    byCommand: true,
    begin: () => redis.cli('REPLICAOF', '127.0.0.1', '1'),
    end: () => redis.cli('REPLICAOF', 'NO', 'ONE'),
  })
  expect(whyOf(replicas).join(' ')).toMatch(/redis_(readonly|unreachable)/)
})

test('no memory left (OOM)', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const { replicas } = await throughFault({
    config: redisConfig(redis.url),
    byCommand: true,
    begin: () => redis.cli('CONFIG', 'SET', 'maxmemory', '1'),
    end: () => redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
  })
  expect(whyOf(replicas)).toContain('redis_oom')
})

test('a password that was changed, with the connection gone', THREE_TRIALS, async () => {
  const redis = await startRedis({ args: USER })
  const { replicas } = await throughFault({
    config: redisConfig(urlOf(redis.port)),
    byCommand: true,
    begin: async () => {
      await redis.cli('ACL', 'SETUSER', 'keyward', 'resetpass', '>another')
      await redis.cli('CLIENT', 'KILL', 'USER', 'keyward')
    },
    end: () => redis.cli('ACL', 'SETUSER', 'keyward', '>secret'),
  })
  expect(JSON.stringify(replicas.map(({ lines }) => lines))).not.toContain('secret')
  expect(await replicas[0]?.metrics()).toMatch(/^keyward_redis_errors_total\{kind="redis_wrongpass"\} [1-9]/m)
})

test('permissions that were taken away under the connection (NOPERM)', THREE_TRIALS, async () => {
  const redis = await startRedis({ args: USER })
  const { replicas } = await throughFault({
    config: redisConfig(urlOf(redis.port)),
    byCommand: true,
    begin: () => redis.cli('ACL', 'SETUSER', 'keyward', '-@all'),
    end: () => redis.cli('ACL', 'SETUSER', 'keyward', '+@all'),
  })
  expect(whyOf(replicas)).toContain('redis_noperm')
})

test('scripts flushed again and again: nobody notices', THREE_TRIALS, async () => {
  const redis = await startRedis()
  await underLoad({
    config: redisConfig(redis.url),
    begin: async () => {
      for (let i = 0; i < 20; i++) await redis.cli('SCRIPT', 'FLUSH')
    },
    end: () => undefined,
  })
})

test('everything flushed (FLUSHALL): replicas remind it of what they know', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const seen = await underLoad({
    config: redisConfig(redis.url),
    begin: async () => {
      await new Promise((resolve) => setTimeout(resolve, 4000))
      await redis.cli('FLUSHALL')
    },
    end: () => undefined,
    duringMs: 3000,
  })
  // eight seconds bring 13; without a reminder it would be a hundred more
  const brought = (seen.seconds * 100) / 60
  expect(seen.accepted.minute).toBeGreaterThan(100)
  expect(seen.accepted.minute).toBeLessThan(150 + brought)
})
