/** What is not our script answers: a fake client, since a real Redis runs what it is given. */
import { expect, test } from 'vitest'
import { askRedis } from '../../src/redis/ask.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { aRate } from '../support/make.ts'

const LIMITS = [aRate()]
const answering = (granted: number) => {
  const client = {
    on: () => undefined,
    defineCommand: () => undefined,
    keywardSpend: async () => [granted, 0, 1_000_000, 5, 0, 0, 0, 0, 0],
  }
  return askRedis({ client: client as unknown as RedisClient, prefix: 'keyward:', onGarbage: () => undefined })
}

test('as many as were asked for are granted', async () => {
  expect(await answering(3)({ bucket: 'b', limits: LIMITS, wanted: 3 })).toMatchObject({ granted: 3 })
})

test('more than were asked for are no answer', async () => {
  const asked = answering(4)({ bucket: 'b', limits: LIMITS, wanted: 3 })
  await expect(asked).rejects.toMatchObject({ code: 'redis_reply_unreadable' })
})
