/** An error of ioredis becomes Trouble, without what it holds: its command's arguments may be a password. */
import { Trouble } from '../core/trouble.ts'

/** First words of Redis' own errors that say something else than that it is not there. */
const KNOWN = new Map<string, string>(
  [
    'BUSY',
    'CLUSTERDOWN',
    'LOADING',
    'MASTERDOWN',
    'MISCONF',
    'NOAUTH',
    'NOPERM',
    'NOREPLICAS',
    'OOM',
    'READONLY',
    'TRYAGAIN',
    'WRONGPASS',
  ].map((word) => [word, `redis_${word.toLowerCase()}`]),
)

/** Codes of Node about TLS and sockets are plain words and say no more than that. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,40}$/

/** @param before why there is no connection, where that is known */
export function fromRedis(error: unknown, before?: Trouble): Trouble {
  if (error instanceof Trouble) return error
  const message = error instanceof Error ? error.message : ''
  const code = wordOf(message)
  if (code !== undefined) return new Trouble(code, 'retry')
  if (error instanceof Error && error.name === 'ReplyError') return new Trouble('redis_error', 'retry')
  return before ?? new Trouble('redis_unreachable', 'retry', causeOf(error))
}

/** A script's errors carry the word of the command that failed, at their beginning or after a word of their own. */
function wordOf(message: string): string | undefined {
  const words = message.slice(0, 200).split(/[^A-Z]+/)
  return KNOWN.get(words.find((word) => KNOWN.has(word)) ?? '') ?? SAID.find(([text]) => text.test(message))?.[1]
}

/** What Redis says without a word of its own: a script's missing permission, and a long command of nobody's. */
const SAID: readonly (readonly [RegExp, string])[] = [
  [/can't run this command|no permissions/i, 'redis_noperm'],
  [/Protocol error: unauthenticated/, 'redis_noauth'],
]

/** The system's code of a failed connection, such as ECONNREFUSED or CERT_HAS_EXPIRED; nothing else of it. */
function causeOf(error: unknown): Error | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && SYSTEM_CODE.test(code) ? new Error(code) : undefined
}
