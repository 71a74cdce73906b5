/** Redis gone, stopped, slow, out of the net: seen by whoever asks for limits meanwhile. */
import { expect, test } from 'vitest'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type RedisServer, startRedis, startSentinels } from '../support/redis.ts'
import { throughFault } from '../support/redis-fault.ts'
import { redisConfig } from '../support/redis-limits.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

test('killed, and started again empty, with four replicas', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const seen = await throughFault({
    config: redisConfig(redis.url),
    replicas: 4,
    begin: redis.kill,
    end: redis.restart,
    duringMs: 2500,
  })
  const text = (await seen.replicas[0]?.metrics()) ?? ''
  expect(text).toMatch(/^keyward_limits_mode\{mode="shared"\} 1$/m)
  expect(text).toMatch(/^keyward_limits_mode\{mode="fallback"\} 0$/m)
  expect(text).toMatch(/^keyward_limits_fallbacks_total\{failure="local"\} [1-9]/m)
  expect(text).toMatch(/^keyward_limits_round_trip_seconds_count [1-9]/m)
  expect(text).toMatch(/^keyward_redis_errors_total\{kind="redis_unreachable"\} [1-9]/m)
})

test('stopped (SIGSTOP), and it goes on', THREE_TRIALS, async () => {
  const redis = await startRedis()
  await throughFault({ config: redisConfig(redis.url), begin: redis.pause, end: redis.resume })
})

test('slow by 200 ms', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: redis.port })
  await throughFault({
    config: redisConfig(`redis://127.0.0.1:${proxy.port}`),
    begin: () => proxy.delay(200),
    end: proxy.heal,
  })
})

test('behind a net that passes nothing, and then refuses', THREE_TRIALS, async () => {
  const redis = await startRedis()
  const proxy = await startFaultProxy({ host: '127.0.0.1', port: redis.port })
  await throughFault({
    config: redisConfig(`redis://127.0.0.1:${proxy.port}`),
    begin: async () => {
      proxy.stall()
      await new Promise((resolve) => setTimeout(resolve, 700))
      proxy.refuse()
    },
    end: proxy.heal,
  })
})

test('loading a large file after a restart', THREE_TRIALS, async () => {
  // a tenth of a millisecond per key stands for a file of many gigabytes
  const redis = await startRedis({
    args: ['--key-load-delay', '100', '--loading-process-events-interval-bytes', '1024'],
  })
  await redis.cli('DEBUG', 'POPULATE', '15000')
  await redis.cli('SAVE')
  let back: Promise<RedisServer> | undefined
  const seen = await throughFault({
    config: redisConfig(redis.url),
    byCommand: true,
    begin: async () => {
      await redis.kill()
      back = redis.restart()
    },
    end: () => back,
  })
  const text = (await seen.replicas[0]?.metrics()) ?? ''
  expect(text).toMatch(/^keyward_redis_errors_total\{kind="redis_loading"\} [1-9]/m)
})

test('a master that dies under Sentinel: its successor counts', THREE_TRIALS, async () => {
  const { master, sentinels, name, masterPort } = await startSentinels()
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  await throughFault({
    config: redisConfig(`redis+sentinel://${hosts}/${name}`),
    begin: master.kill,
    end: async () => {
      await until('another is the master', async () => (await masterPort()) !== master.port, 60_000)
    },
  })
})
