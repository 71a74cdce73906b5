/** Wiring of authz: the folder and data of a standalone followed, limits in Redis or here, listeners. */
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'
import type { Limiter } from '../enforce/check.ts'
import { localLimiter } from '../enforce/local-limiter.ts'
import { localShare } from '../enforce/local-share.ts'
import { sharedLimiter } from '../enforce/shared-limiter.ts'
import { type Following, follow } from '../folder/follow.ts'
import { FolderUnreadable } from '../folder/manifests.ts'
import { tellOf } from '../folder/tell.ts'
import { type RedisConfig, readRedisConfig, redisOptions } from '../redis/config.ts'
import { connectRedis } from '../redis/connect.ts'
import { redisLimits } from '../redis/redis-limiter.ts'
import { countReplicas } from '../redis/replicas.ts'
import { loadConfig } from '../runtime/config.ts'
import { limitsNotes } from '../runtime/limits-notes.ts'
import { withUsableTls } from '../runtime/listening.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { type CountingMode, type Metrics, makeMetrics } from '../runtime/metrics.ts'
import { makeNotes } from '../runtime/notes.ts'
import {
  complain,
  explained,
  isFolder,
  openTlsOf,
  type RunParts,
  refuseCall,
  STOP_WITHIN_MS,
} from '../runtime/running.ts'
import { jitter, nowMs, nowUs, steadyMs, uuid } from '../runtime/system.ts'
import type { WatchedTls } from '../runtime/tls.ts'
import { AUTHZ, withReplica } from './config.ts'
import { makeListeners } from './listeners.ts'

const COMMAND = 'keyward authz'

/** How soon an authz that nobody asks notices that Redis is gone. */
const LOOK_EVERY_MS = 1000

export const AuthzConfig = withReplica(withUsableTls(z.object({ ...AUTHZ, ...redisOptions })))
type AuthzConfig = z.output<typeof AuthzConfig>

/** Runs until it is asked to stop. Resolves to the exit code: 0, 1 where it could not run, 2 where it was called wrongly. */
export async function runAuthz(parts: RunParts): Promise<number> {
  const loaded = loadConfig(AuthzConfig, parts)
  if (!loaded.ok) return refuseCall(COMMAND, loaded.problems, parts)
  const { config } = loaded
  if (!isFolder(config.manifests)) {
    return complain(COMMAND, `${config.manifests}: there is no such folder of manifests`, parts)
  }
  const redis = readRedisConfig(config)
  if (!redis.ok) return refuseCall(COMMAND, redis.problems, parts)
  const log = makeLog(config.logLevel, { write: parts.err })
  try {
    const tls = openTlsOf(config, log)
    try {
      return await serve({ ...parts, config, redis: redis.config, log, tls })
    } finally {
      tls?.stop()
    }
  } catch (error) {
    if (error instanceof FolderUnreadable) return complain(COMMAND, error.message, parts)
    if (error instanceof Trouble) return complain(COMMAND, explained(error), parts)
    throw error
  }
}

type Serving = RunParts & {
  readonly config: AuthzConfig
  readonly redis: RedisConfig | undefined
  readonly log: Log
  readonly tls: WatchedTls | undefined
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, tls, stop, version } = parts
  const following = followingOf(parts, () => metrics.countReload())
  const metrics = makeMetrics(version, {
    keys: following.keys,
    problems: following.problems,
    tunnels: () => 0,
    certificateExpiresAt: () => tls?.expiresAt(),
    limitsMode: () => limits.mode(),
  })
  const limits = limitsOf(parts, metrics)
  const listeners = makeListeners({
    config,
    metrics,
    notes: makeNotes({ metrics, log, nowMs }),
    index: following.index,
    limiter: limits.limiter,
    missing: () => (stop.aborted ? 'stopping' : following.missing()),
    tls,
  })
  try {
    await listeners.start()
    await following.run(stop)
    log.info('stopping')
    return 0
  } finally {
    await listeners.stop(STOP_WITHIN_MS)
    // last: until then requests were spent
    await limits.stop()
  }
}

type Limits = {
  readonly limiter: Limiter
  readonly mode: () => CountingMode
  readonly stop: () => Promise<void>
}

const limitsOf = (parts: Serving, metrics: Metrics): Limits =>
  parts.redis === undefined ? limitsHere(parts) : limitsIn(parts.redis, parts, metrics)

/** Each process by itself: the whole of a limit, or its part where there are known to be others. */
function limitsHere({ config: { replicas, replica: rank }, log }: Serving): Limits {
  const limiter =
    replicas === 1 ? localLimiter(nowUs) : localShare({ nowUs, place: () => ({ replicas, rank }), alone: true })
  log.warn(
    { replicas, replica: rank },
    `limits are per process, without --redis: this one grants ${grants(replicas, rank)}`,
  )
  return { limiter, mode: () => 'process', stop: async () => undefined }
}

function grants(replicas: number, rank: number | undefined): string {
  if (replicas === 1) return 'the whole of each limit'
  const part = `one part in ${replicas} of each limit`
  if (rank !== undefined) return part
  return `${part}, and one request at least: a limit below ${replicas} may be granted up to ${replicas} times, unless --replica says which one this is`
}

function limitsIn(redis: RedisConfig, { config, log }: Serving, metrics: Metrics): Limits {
  const { prefix } = redis
  const notes = limitsNotes({ metrics, log })
  const client = connectRedis(redis, ({ code }) => notes.onTrouble(code))
  const replicas = countReplicas({ client, prefix, id: uuid(), jitter, onTrouble: notes.onTrouble })
  const shared = redisLimits({
    client,
    prefix,
    onGarbage: () => {
      notes.onTrouble('redis_garbage')
      log.error('something else than a limit lay in Redis where one belongs, and was replaced')
    },
    nowUs: () => steadyMs() * 1000,
    replicas: replicas.count,
  })
  const limiter = sharedLimiter({
    shared,
    rank: () => replicas.rank() ?? config.replica,
    replicas: config.replicas,
    nowUs,
    nowMs: steadyMs,
    after: (delayMs, act) => {
      const timer = setTimeout(act, delayMs)
      return () => clearTimeout(timer)
    },
    onceRead: setImmediate,
    jitter,
    ...notes,
  })
  const look = setInterval(limiter.look, LOOK_EVERY_MS).unref()
  return {
    limiter,
    mode: limiter.mode,
    stop: async () => {
      clearInterval(look)
      limiter.stop()
      await shared.stop()
      await replicas.stop()
      client.disconnect()
    },
  }
}

function followingOf({ config, log }: Serving, countReload: () => void): Following {
  let waitsFor: string | undefined
  return follow({
    manifests: config.manifests,
    data: config.data,
    nowMs,
    onReady: (keys, problems) => log.info({ keys, problems }, 'in force'),
    onChange: (snapshot) => {
      tellOf(snapshot, log)
      if (snapshot.changed.length > 0) countReload()
    },
    onStore: (problem) => {
      if (problem === waitsFor) return
      if (problem === undefined) log.info('the data can be read')
      else log.warn({ problem }, 'the data can not be read')
      waitsFor = problem
    },
    onWaiting: (objects) => {
      if (objects === 0) log.info('everything that the manifests give is accepted')
      else log.warn({ objects }, 'what these manifests give waits for the standalone that keeps the data to accept it')
    },
  })
}
