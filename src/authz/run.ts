/** Wiring of authz: a cluster followed, or the folder and data of a standalone; limits in Redis or here; listeners. */
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'
import type { Limiter } from '../enforce/check.ts'
import { localLimiter } from '../enforce/local-limiter.ts'
import { localShare } from '../enforce/local-share.ts'
import { sharedLimiter } from '../enforce/shared-limiter.ts'
import { follow } from '../folder/follow.ts'
import { FolderUnreadable } from '../folder/manifests.ts'
import { tellOf } from '../folder/tell.ts'
import { makeClient } from '../kube/client.ts'
import { type KubeAccess, kubeOptions, openKube } from '../kube/config.ts'
import { followCluster } from '../kube/follow.ts'
import { type RedisConfig, readRedisConfig, redisOptions } from '../redis/config.ts'
import { wholeCollector } from '../runtime/collector.ts'
import { loadConfig } from '../runtime/config.ts'
import { limitsNotes } from '../runtime/limits-notes.ts'
import { withUsableTls } from '../runtime/listening.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { type CountingMode, type Gauges, type Metrics, makeMetrics } from '../runtime/metrics.ts'
import { makeNotes } from '../runtime/notes.ts'
import { makeRecentChecks } from '../runtime/recent-checks.ts'
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
import { AUTHZ, withOneSource, withReplica } from './config.ts'
import { type ListenersParts, makeListeners } from './listeners.ts'

const COMMAND = 'keyward authz'

/** How soon an authz that nobody asks notices that Redis is gone. */
const LOOK_EVERY_MS = 1000

export const AuthzConfig = withOneSource(
  withReplica(withUsableTls(z.object({ ...AUTHZ, ...kubeOptions, ...redisOptions }))),
)
type AuthzConfig = z.output<typeof AuthzConfig>

/** Runs until it is asked to stop. Resolves to the exit code: 0, 1 where it could not run, 2 where it was called wrongly. */
export async function runAuthz(parts: RunParts): Promise<number> {
  const loaded = loadConfig(AuthzConfig, parts)
  if (!loaded.ok) return refuseCall(COMMAND, loaded.problems, parts)
  const { config } = loaded
  const { manifests, data } = config
  if (manifests !== undefined && !isFolder(manifests)) {
    return complain(COMMAND, `${manifests}: there is no such folder of manifests`, parts)
  }
  const redis = readRedisConfig(config)
  if (!redis.ok) return refuseCall(COMMAND, redis.problems, parts)
  const source = manifests !== undefined && data !== undefined ? { manifests, data } : await clusterOf(config, parts)
  if ('problems' in source) return refuseCall(COMMAND, source.problems, parts)
  const log = makeLog(config.logLevel, { write: parts.err })
  try {
    const tls = openTlsOf(config, log)
    try {
      return await serve({ ...parts, config, source, redis: redis.config, log, tls })
    } finally {
      tls?.stop()
    }
  } catch (error) {
    if (error instanceof FolderUnreadable) return complain(COMMAND, error.message, parts)
    if (error instanceof Trouble) return complain(COMMAND, explained(error), parts)
    throw error
  }
}

type Folder = { readonly manifests: string; readonly data: string }

async function clusterOf(config: AuthzConfig, { env }: RunParts): Promise<KubeAccess | Problems> {
  const opened = await openKube(config, { env, steadyMs })
  return opened.ok ? opened.kube : opened
}
type Problems = { readonly problems: readonly string[] }

type Serving = RunParts & {
  readonly config: AuthzConfig
  readonly source: Folder | KubeAccess
  readonly redis: RedisConfig | undefined
  readonly log: Log
  readonly tls: WatchedTls | undefined
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, tls, stop, version } = parts
  const { source } = parts
  const tell: Told = { reload: () => metrics.countReload(), trouble: (code) => metrics.countWatchTrouble(code) }
  const following = 'manifests' in source ? folderFollowed(parts, source, tell) : clusterFollowed(parts, source, tell)
  const metrics = makeMetrics(version, {
    keys: following.keys,
    problems: following.problems,
    tunnels: () => 0,
    certificateExpiresAt: () => tls?.expiresAt(),
    limitsMode: () => limits.mode(),
    ...(following.watched !== undefined && { watched: following.watched }),
  })
  const limits = await limitsOf(parts, metrics)
  const listeners = makeListeners({
    config,
    metrics,
    notes: makeNotes({ metrics, log, recent: makeRecentChecks(), nowMs }),
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
    await following.close?.()
  }
}

type Limits = {
  readonly limiter: Limiter
  readonly mode: () => CountingMode
  readonly stop: () => Promise<void>
}

const limitsOf = async (parts: Serving, metrics: Metrics): Promise<Limits> =>
  parts.redis === undefined ? limitsHere(parts) : await limitsIn(parts.redis, parts, metrics)

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

async function limitsIn(redis: RedisConfig, { config, log }: Serving, metrics: Metrics): Promise<Limits> {
  // several mebibytes that who has no Redis does not need
  const { connectRedis } = await import('../redis/connect.ts')
  const { redisLimits } = await import('../redis/redis-limiter.ts')
  const { countReplicas } = await import('../redis/replicas.ts')
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

/** What is decided by, wherever it comes from. */
type Followed = Pick<ListenersParts, 'index' | 'missing'> &
  Pick<Gauges, 'keys' | 'problems' | 'watched'> & {
    /** Goes on until it is stopped. */
    readonly run: (stop: AbortSignal) => Promise<void>
    readonly close?: () => Promise<void>
  }

type Told = { readonly reload: () => void; readonly trouble: (code: string) => void }

function clusterFollowed({ log }: Serving, { access, namespace }: KubeAccess, tell: Told): Followed {
  const client = makeClient({ access, steadyMs, jitter })
  const following = followCluster({
    client,
    namespace,
    log,
    nowMs,
    steadyMs,
    jitter,
    onReady: (keys, problems) => log.info({ keys, problems, server: access.server, namespace }, 'in force'),
    onChange: tell.reload,
    countTrouble: tell.trouble,
    collect: wholeCollector(),
  })
  return {
    ...following,
    watched: { staleness: following.staleness, setAside: following.unreadable },
    close: client.close,
  }
}

function folderFollowed({ log }: Serving, folder: Folder, { reload }: Told): Followed {
  let waitsFor: string | undefined
  return follow({
    ...folder,
    nowMs,
    onReady: (keys, problems) => log.info({ keys, problems }, 'in force'),
    onChange: (snapshot) => {
      tellOf(snapshot, log)
      if (snapshot.changed.length > 0) reload()
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
