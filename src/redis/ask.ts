/** One question to the script: the only place that sends it. */
import type { Limit } from '../core/limit.ts'
import { Trouble } from '../core/trouble.ts'
import type { RedisClient } from './connect.ts'
import { fromRedis } from './failure.ts'
import { withKnownScript } from './known-script.ts'
import { scriptText } from './script.ts'
import { bucketKey, limitArguments, type Reply, type Returned, readReply, returnArguments } from './wire.ts'

export type Question = {
  readonly bucket: string
  readonly limits: readonly Limit[]
  /** How many requests; as many as are left are granted, and none only where none is left. 0: only gives back. */
  readonly wanted: number
  /** What was granted before and comes back unused. */
  readonly back?: Returned | undefined
}

/** Rejects with a Trouble. */
export type Ask = (question: Question) => Promise<Reply>

export type AskParts = {
  readonly client: RedisClient
  readonly prefix: string
  /** Something that we did not write lay where a bucket belongs; it has been replaced by a fresh bucket. */
  readonly onGarbage: () => void
  /** For tests alone: the time that the script goes by instead of Redis' own. */
  readonly givenUs?: () => number
}

type Scripted = { readonly keywardSpend: (key: string, ...args: readonly string[]) => Promise<unknown> }

export function askRedis({ client, prefix, onGarbage, givenUs }: AskParts): Ask {
  client.defineCommand('keywardSpend', { numberOfKeys: 1, lua: scriptText(givenUs === undefined ? 'redis' : 'given') })
  const scripted = client as unknown as Scripted
  let why: Trouble | undefined
  const keepWhy = (error: unknown) => {
    why = fromRedis(error)
  }
  // a command that fails for want of a connection does not know why there is none
  client.on('error', keepWhy)
  client.on('node error', keepWhy)
  client.on('ready', () => {
    why = undefined
  })
  return async ({ bucket, limits, wanted, back }) => {
    const args = [String(wanted), ...limitArguments(limits), ...returnArguments(back)]
    if (givenUs !== undefined) args.unshift(String(givenUs()))
    const key = bucketKey(prefix, bucket)
    try {
      const reply = readReply(await withKnownScript(() => scripted.keywardSpend(key, ...args)), limits)
      // more than were asked for is nothing that our script says
      if (reply.granted > wanted) throw new Trouble('redis_reply_unreadable', 'retry')
      if (reply.garbage) onGarbage()
      return reply
    } catch (error) {
      throw fromRedis(error, why)
    }
  }
}
