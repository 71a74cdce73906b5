/** A connection to Redis as one server, behind Sentinel, or as a Cluster, that never makes a caller wait for it. */
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Trouble } from '../core/trouble.ts'
import type { RedisConfig } from './config.ts'
import { fromRedis } from './failure.ts'
import { redisTls } from './redis-tls.ts'

export type RedisClient = Redis | Cluster

/** A server that says nothing for so long while it owes an answer is given up, and connected to anew. */
const SILENT_MS = 1000
const CONNECT_MS = 1000

/** Quick at first, and at most half a second apart for ever: a Redis that is back is used again within that. */
const retryMs = (times: number): number => Math.min(20 * times, 500)

/**
 * Connects in the background and for ever; until then, and whenever the connection is lost, commands fail at once.
 * @param note hears of each trouble with the connection; it holds neither address nor password
 */
export function connectRedis(config: RedisConfig, note: (trouble: Trouble) => void = () => {}): RedisClient {
  const client = make(config, note)
  const troubled = (error: unknown) => note(fromRedis(error))
  client.on('error', troubled)
  client.on('node error', troubled)
  // a lazy connection per node would refuse all but the first command until it is made
  client.on('+node', (node: Redis) => {
    if (node.status === 'wait') node.connect().catch(() => {})
  })
  client.connect().catch(() => {})
  return client
}

function make(config: RedisConfig, note: (trouble: Trouble) => void): RedisClient {
  const options = commonOptions(config, note)
  const { at } = config
  switch (at.kind) {
    case 'server':
      return new Redis({ ...options, host: at.host, port: at.port, db: at.db })
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: at.sentinels.map(({ host, port }) => ({ host, port })),
        name: at.name,
        db: at.db,
        ...(config.sentinelPassword && { sentinelPassword: config.sentinelPassword.text() }),
        ...(options.tls && { sentinelTLS: options.tls, enableTLSForSentinelMode: true }),
        sentinelCommandTimeout: SILENT_MS,
        sentinelRetryStrategy: retryMs,
        // asks the server for its role, so that a demoted master is left alone
        enableReadyCheck: true,
        maxLoadingRetryTime: 500,
      })
    case 'cluster':
      return new Cluster(
        at.nodes.map(({ host, port }) => ({ host, port })),
        {
          redisOptions: options,
          lazyConnect: true,
          enableOfflineQueue: false,
          enableReadyCheck: false,
          clusterRetryStrategy: retryMs,
          slotsRefreshTimeout: CONNECT_MS,
          slotsRefreshInterval: 5000,
          // what failed is not sent again: whoever waited for it has been answered otherwise by then
          retryDelayOnFailover: 0,
          retryDelayOnClusterDown: 0,
          // a node is found by the name that its certificate has
          dnsLookup: (address, callback) => callback(null, address),
        },
      )
  }
}

const commonOptions = (config: RedisConfig, note: (trouble: Trouble) => void) =>
  ({
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    retryStrategy: retryMs,
    // a command is sent once or not at all; by default it would wait through twenty connections
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // batches in lock-step with the server: measured slower than writing at once
    enableAutoPipelining: false,
    // what these ask of the server would need more permissions, and tell us nothing
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    // this server has become a replica: its master is somewhere else
    reconnectOnError: (error) => error.message.includes('READONLY'),
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password !== undefined && { password: config.password.text() }),
    ...(config.tls !== undefined && { tls: redisTls(config.tls, note) }),
  }) satisfies RedisOptions
