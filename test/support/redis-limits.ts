/** The limiter in a real Redis, as tests use it: connected, with Redis' own clock or one that the test moves. */
import { onTestFinished } from 'vitest'
import { parseRedisUrl } from '../../src/redis/address.ts'
import type { RedisConfig } from '../../src/redis/config.ts'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { type RedisLimitParts, type RedisLimits, redisLimits } from '../../src/redis/redis-limiter.ts'
import { until } from './until.ts'

export const PREFIX = 'keyward:'

/** The configuration of a URL; the login in it counts. */
export function redisConfig(url: string, more: Partial<RedisConfig> = {}): RedisConfig {
  const address = parseRedisUrl(url)
  if (!address.ok) throw new Error(address.problem)
  const { at, username, password } = address.value
  return { at, username, password, sentinelPassword: undefined, tls: undefined, prefix: PREFIX, ...more }
}

export type Connected = { readonly client: RedisClient; readonly troubles: readonly string[] }

/** A client that is closed at the end of the test; not necessarily connected yet. */
export function clientOf(config: RedisConfig): Connected {
  const troubles: string[] = []
  const client = connectRedis(config, ({ code }) => troubles.push(code))
  onTestFinished(() => client.disconnect())
  return { client, troubles }
}

/** Limits by a client, stopped at the end of the test. */
export function limitsOf(client: RedisClient, more: Partial<RedisLimitParts> = {}): RedisLimits {
  const limits = redisLimits({
    client,
    prefix: PREFIX,
    onGarbage: () => {},
    nowUs: () => performance.now() * 1000,
    replicas: () => undefined,
    ...more,
  })
  onTestFinished(() => limits.stop())
  return limits
}

/** Waits until Redis counts. */
export async function ready(limits: RedisLimits, withinMs = 30_000): Promise<RedisLimits> {
  await until(
    'Redis counts',
    () =>
      limits.ping().then(
        () => true,
        () => false,
      ),
    withinMs,
  )
  return limits
}

export async function readyLimits(url: string, more: Partial<RedisLimitParts> = {}): Promise<RedisLimits> {
  return ready(limitsOf(clientOf(redisConfig(url)).client, more))
}
