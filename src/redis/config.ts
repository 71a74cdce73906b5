/** What a command can be told about Redis, and what becomes of it: one value, or every problem at once. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { flagOf, variableOf } from '../runtime/config.ts'
import { errorCode } from '../runtime/error-code.ts'
import { readAuthorities } from '../runtime/tls-files.ts'
import { parseRedisUrl, type RedisAddress, type RedisPlace, withoutLogin } from './address.ts'
import { Password } from './password.ts'
import { type RedisTls, readRedisTls } from './redis-tls.ts'

export type RedisConfig = {
  readonly at: RedisPlace
  readonly username: string | undefined
  readonly password: Password | undefined
  readonly sentinelPassword: Password | undefined
  readonly tls: RedisTls | undefined
  /** Before every key of ours. */
  readonly prefix: string
}

const file = z.string({ error: 'the path of a file is needed' }).min(1, { error: 'the path of a file is needed' })

const PREFIX = /^[A-Za-z0-9:._-]{1,64}$/

/** To be spread into a command's own options. `redisPassword` is for the variable alone: a flag is seen by every process. */
export const redisOptions = {
  redis: z.string({ error: 'a URL is needed' }).optional(),
  redisPassword: z.string().min(1, { error: 'must not be empty' }).optional(),
  redisPasswordFile: file.optional(),
  redisSentinelPasswordFile: file.optional(),
  redisCa: file.optional(),
  redisCert: file.optional(),
  redisKey: file.optional(),
  redisPrefix: z
    .string()
    .regex(PREFIX, { error: 'letters, digits and : . _ - only, from 1 to 64 of them' })
    .default('keyward:'),
}

const options = z.object(redisOptions)
export type RedisOptionValues = z.output<typeof options>

export type RedisConfigured =
  | { readonly ok: true; readonly config: RedisConfig | undefined }
  | { readonly ok: false; readonly problems: readonly string[] }

/** undefined where no Redis is named. Reads the files that it is told of; no problem shows what is in them. */
export function readRedisConfig(given: RedisOptionValues): RedisConfigured {
  if (given.redis === undefined) return withoutRedis(given)
  const address = parseRedisUrl(given.redis)
  if (!address.ok) return { ok: false, problems: [named('redis', `${withoutLogin(given.redis)}: ${address.problem}`)] }
  const problems: string[] = []
  const password = passwordOf(given, address.value, problems)
  const tls = tlsOf(given, address.value, problems)
  const sentinelPassword = fileOf('redisSentinelPasswordFile', given.redisSentinelPasswordFile, problems)
  const { at, username } = address.value
  if (username !== undefined && password === undefined && problems.length === 0) {
    problems.push(named('redis', 'names a user without a password: give it in the URL or by --redis-password-file'))
  }
  if (sentinelPassword !== undefined && at.kind !== 'sentinel') {
    problems.push(named('redisSentinelPasswordFile', 'needs --redis redis+sentinel://…'))
  }
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, config: { at, username, password, sentinelPassword, tls, prefix: given.redisPrefix } }
}

/** The password has no flag to be named by. */
const named = (option: string, problem: string): string =>
  option === 'redisPassword'
    ? `${variableOf(option)}: ${problem}`
    : `${flagOf(option)} (${variableOf(option)}): ${problem}`

const DEPENDENT = [
  'redisPassword',
  'redisPasswordFile',
  'redisSentinelPasswordFile',
  'redisCa',
  'redisCert',
  'redisKey',
] as const

/** An option that would be forgotten is a mistake: whoever gave it thinks that there is a Redis. */
function withoutRedis(given: RedisOptionValues): RedisConfigured {
  const problems = DEPENDENT.filter((option) => given[option] !== undefined).map((option) =>
    named(option, 'needs --redis, the URL of the server'),
  )
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: undefined }
}

function passwordOf(given: RedisOptionValues, address: RedisAddress, problems: string[]): Password | undefined {
  const fromFile = fileOf('redisPasswordFile', given.redisPasswordFile, problems)
  const fromVariable = given.redisPassword === undefined ? undefined : new Password(given.redisPassword)
  const all = [address.password, fromVariable, fromFile].filter((one) => one !== undefined)
  if (all.length > 1) {
    problems.push(
      named('redisPasswordFile', 'the password is given twice: by file, by variable or in the URL, not two of them'),
    )
  }
  return all[0]
}

function fileOf(option: string, path: string | undefined, problems: string[]): Password | undefined {
  if (path === undefined) return undefined
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (text !== '' && !text.includes('\n')) return new Password(text)
    problems.push(named(option, `${path} must hold one line, the password`))
  } catch (cause) {
    problems.push(named(option, `${path} can't be read (${errorCode(cause)})`))
  }
  return undefined
}

function tlsOf(given: RedisOptionValues, address: RedisAddress, problems: string[]): RedisTls | undefined {
  const { redisCa: ca, redisCert: cert, redisKey: key } = given
  const options = { redisCa: ca, redisCert: cert, redisKey: key }
  const count = problems.length
  if (!address.tls) {
    for (const [option, value] of Object.entries(options)) {
      if (value !== undefined) problems.push(named(option, 'needs TLS: say rediss:// in --redis'))
    }
    return undefined
  }
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'redisCert' : 'redisKey'
    problems.push(named(missing, 'certificate and key are needed together'))
  }
  for (const [option, path] of Object.entries(options)) {
    const problem = path === undefined ? undefined : fileProblem(option, path)
    if (problem !== undefined) problems.push(named(option, `${path} ${problem}`))
  }
  const tls = { ca, cert, key }
  if (problems.length === count) problems.push(...contextProblems(tls))
  return tls
}

function fileProblem(option: string, path: string): string | undefined {
  if (option === 'redisCa') {
    const read = readAuthorities(path)
    return read.ok ? undefined : read.problem
  }
  try {
    readFileSync(path)
    return undefined
  } catch (cause) {
    return `can't be read (${errorCode(cause)})`
  }
}

/** Tried once at the start: later, files that don't fit leave the last ones in force. */
function contextProblems(tls: RedisTls): readonly string[] {
  try {
    readRedisTls(tls)
    return []
  } catch (cause) {
    const files = [tls.cert, tls.key].filter((path) => path !== undefined).join(', ')
    return [named('redisCert', `${files}: not PEM, or key and certificate don't belong together (${errorCode(cause)})`)]
  }
}
