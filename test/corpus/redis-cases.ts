/** Cases of the corpus about limits in Redis; test/real/redis-corpus.test.ts runs them. */

export const REDIS_CASES = [
  'MISC-rl-flush',
  'MISC-rl-key-inject',
  'MISC-rl-clock',
  'MISC-rl-fanout',
  'MISC-rl-acl',
  'MISC-rl-poison',
] as const

export type RedisCase = (typeof REDIS_CASES)[number]
