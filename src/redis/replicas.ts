/** How many processes share the limits, and which of them this one is: each says every few seconds that it lives. */

import { atMost } from './at-most.ts'
import type { RedisClient } from './connect.ts'
import { fromRedis } from './failure.ts'
import { withKnownScript } from './known-script.ts'

export type ReplicaParts = {
  readonly client: RedisClient
  readonly prefix: string
  /** Of this process alone: a UUID. */
  readonly id: string
  /** From 0 (inclusive) to 1. */
  readonly jitter: () => number
  /** @param code of the Trouble */
  readonly onTrouble?: (code: string) => void
  readonly beatMs?: number
}

export type Replicas = {
  /** undefined until Redis has answered once; what it said last holds while it is gone. */
  readonly count: () => number | undefined
  /** From 0, the same for all at any time but for the moments in which somebody comes or goes. */
  readonly rank: () => number | undefined
  /** Takes this process out, so that the others need not miss it first; at most half a second. */
  readonly stop: () => Promise<void>
}

export const BEAT_MS = 2000
/** Beats that may be missed. A Redis that forgot everybody (FLUSHALL, a restart) hears of all within one. */
const MISSED = 3
const STOP_MS = 500

/**
 * KEYS[1] all of them, as `id µs` by Redis' time; ARGV: this id, after how many µs one is gone, 1: lives, 0: leaves.
 * A text in place of a sorted set needs no further permission than the limits themselves do.
 */
const BEAT = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local kept = redis.pcall('GET', KEYS[1])
local lives, ids = {}, {}
local function keep(id, at)
  lives[#lives + 1] = id .. ' ' .. string.format('%.0f', at)
  ids[#ids + 1] = id
end
if type(kept) == 'string' and #kept < 1048576 then
  for id, at in string.gmatch(kept, '([%w-]+) (%d+)') do
    at = tonumber(at)
    if id ~= ARGV[1] and at <= now and now - at < tonumber(ARGV[2]) then keep(id, at) end
  end
end
if ARGV[3] == '1' then keep(ARGV[1], now) end
redis.call('SET', KEYS[1], table.concat(lives, '\\n'), 'PX', string.format('%.0f', tonumber(ARGV[2]) / 1000))
return ids
`

type Scripted = { readonly keywardBeat: (key: string, ...args: readonly string[]) => Promise<unknown> }

export function countReplicas({ client, prefix, id, jitter, onTrouble, beatMs = BEAT_MS }: ReplicaParts): Replicas {
  client.defineCommand('keywardBeat', { numberOfKeys: 1, lua: BEAT })
  const scripted = client as unknown as Scripted
  const say = (lives: boolean) =>
    withKnownScript(() =>
      scripted.keywardBeat(`${prefix}{replicas}`, id, String((MISSED + 0.5) * beatMs * 1000), lives ? '1' : '0'),
    )
  let heard: readonly (readonly string[])[] = []
  let all: readonly string[] = []
  let beating = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const take = (answer: unknown): void => {
    if (!Array.isArray(answer)) return
    heard = [answer.map(String), ...heard].slice(0, MISSED)
    // who was there a moment ago is there: a Redis that forgot everybody must not give each of them the whole
    all = [...new Set(heard.flat())].sort()
  }

  const beat = (): void => {
    clearTimeout(timer)
    if (stopped) return
    timer = setTimeout(beat, beatMs * (0.75 + jitter() / 2)).unref()
    if (beating) return
    beating = true
    say(true)
      .then(take, (error) => onTrouble?.(fromRedis(error).code))
      .finally(() => {
        beating = false
      })
      .catch(() => {})
  }

  client.on('ready', beat)
  if (client.status === 'ready') beat()
  return {
    count: () => (all.length === 0 ? undefined : all.length),
    rank: () => {
      const at = all.indexOf(id)
      return at < 0 ? undefined : at
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      client.off('ready', beat)
      await atMost(
        STOP_MS,
        say(false).catch(() => {}),
      )
    },
  }
}
