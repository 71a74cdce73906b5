/** Every metric's name, help and labels in one table, and the counters behind them; no key ID is ever a label. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Docs and tests read this table. */
export const METRICS = {
  keyward_checks_total: {
    help: 'Checks by listener, environment and answer (allow, or the code of the refusal)',
    labels: ['listener', 'environment', 'code'],
  },
  keyward_keys: { help: 'Keys in the index', labels: [] },
  keyward_manifest_problems: { help: 'Problems that the manifests folder has now', labels: [] },
  keyward_manifest_reloads_total: { help: 'Changes of the manifests folder that came into force', labels: [] },
  keyward_watch_staleness_seconds: {
    help: 'How long ago what is known of a resource of the cluster was last known to be so',
    labels: ['resource'],
  },
  keyward_objects_set_aside: { help: 'Objects of the cluster that are not in force, or not whole', labels: ['kind'] },
  keyward_watch_troubles_total: { help: 'Troubles with the API server, by code', labels: ['code'] },
  keyward_proxy_answers_total: { help: 'Answers of the reverse proxy itself, by kind', labels: ['kind'] },
  keyward_tunnels: { help: 'Upgraded connections open now', labels: [] },
  keyward_tls_certificate_expiry_timestamp_seconds: { help: 'When the certificate in use ends', labels: [] },
  keyward_limits_mode: { help: 'What counts limits now: 1 at that mode, 0 at the others', labels: ['mode'] },
  keyward_limits_fallbacks_total: { help: 'Requests answered without the shared limits', labels: ['failure'] },
  keyward_limits_round_trip_seconds: { help: 'How long the shared limits took to answer', labels: [] },
  keyward_redis_errors_total: { help: 'Troubles with Redis, by kind', labels: ['kind'] },
  keyward_event_loop_delay_seconds: { help: 'Longest event-loop delay since the last scrape', labels: [] },
  keyward_build_info: { help: 'Always 1; the version is the label', labels: ['version'] },
} as const satisfies Record<string, { readonly help: string; readonly labels: readonly string[] }>

export type Metrics = {
  /** Prometheus text format 0.0.4. */
  readonly text: () => Promise<string>
  readonly contentType: string
  readonly countCheck: (listener: string, environment: string, code: string) => void
  readonly countReload: () => void
  readonly countWatchTrouble: (code: string) => void
  readonly countAnswer: (kind: string) => void
  readonly countFallback: (failure: string) => void
  readonly countRedisError: (kind: string) => void
  readonly observeRoundTrip: (ms: number) => void
}

/** process: limits of this process alone; shared: one count for all replicas; fallback: that is out of reach. */
export type CountingMode = 'process' | 'shared' | 'fallback'
const MODES: readonly CountingMode[] = ['process', 'shared', 'fallback']
const ROUND_TRIP_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025]

/** What is read at each scrape instead of being counted. */
export type Gauges = {
  readonly keys: () => number
  readonly problems: () => number
  readonly tunnels: () => number
  /** Milliseconds since 1970; undefined: there is no certificate. */
  readonly certificateExpiresAt: () => number | undefined
  /** Absent where limits are never shared. */
  readonly limitsMode?: () => CountingMode
  /** Absent where no cluster is watched. */
  readonly watched?: {
    readonly staleness: () => Iterable<readonly [resource: string, ms: number]>
    readonly setAside: () => Iterable<readonly [kind: string, count: number]>
  }
}

export function makeMetrics(version: string, gauges: Gauges): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counts = checkCounts()
  const counter = (name: keyof typeof METRICS) =>
    new Counter<string>({
      name,
      help: METRICS[name].help,
      labelNames: [...METRICS[name].labels],
      registers: [registry],
    })
  const reloads = counter('keyward_manifest_reloads_total')
  const watchTroubles = counter('keyward_watch_troubles_total')
  const answers = counter('keyward_proxy_answers_total')
  const fallbacks = counter('keyward_limits_fallbacks_total')
  const redisErrors = counter('keyward_redis_errors_total')
  const roundTrips = new Histogram({
    name: 'keyward_limits_round_trip_seconds',
    help: METRICS.keyward_limits_round_trip_seconds.help,
    buckets: ROUND_TRIP_SECONDS,
    registers: [registry],
  })
  new Counter({
    name: 'keyward_checks_total',
    help: METRICS.keyward_checks_total.help,
    labelNames: METRICS.keyward_checks_total.labels,
    registers: [registry],
    collect() {
      this.reset()
      counts.each((labels, count) => this.inc(labels, count))
    },
  })
  const gauge = (name: keyof typeof METRICS, read: () => number) =>
    new Gauge({
      name,
      help: METRICS[name].help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge('keyward_keys', gauges.keys)
  gauge('keyward_manifest_problems', gauges.problems)
  gauge('keyward_tunnels', gauges.tunnels)
  if (gauges.certificateExpiresAt() !== undefined) {
    gauge('keyward_tls_certificate_expiry_timestamp_seconds', () => (gauges.certificateExpiresAt() ?? 0) / 1000)
  }
  gauge('keyward_event_loop_delay_seconds', longestDelay())
  const labelled = (name: keyof typeof METRICS, read: () => Iterable<readonly [string, number]>) => {
    const [label = ''] = METRICS[name].labels
    new Gauge({
      name,
      help: METRICS[name].help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset()
        for (const [which, value] of read()) this.set({ [label]: which }, value)
      },
    })
  }
  const { watched } = gauges
  if (watched !== undefined) {
    labelled('keyward_watch_staleness_seconds', () => secondsOf(watched.staleness()))
    labelled('keyward_objects_set_aside', watched.setAside)
  }
  new Gauge({
    name: 'keyward_limits_mode',
    help: METRICS.keyward_limits_mode.help,
    labelNames: METRICS.keyward_limits_mode.labels,
    registers: [registry],
    collect() {
      const now = gauges.limitsMode?.() ?? 'process'
      for (const mode of MODES) this.set({ mode }, mode === now ? 1 : 0)
    },
  })
  new Gauge({
    name: 'keyward_build_info',
    help: METRICS.keyward_build_info.help,
    labelNames: METRICS.keyward_build_info.labels,
    registers: [registry],
  }).set({ version }, 1)
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    countCheck: counts.add,
    countReload: () => reloads.inc(),
    countWatchTrouble: (code) => watchTroubles.inc({ code }),
    countAnswer: (kind) => answers.inc({ kind }),
    countFallback: (failure) => fallbacks.inc({ failure }),
    countRedisError: (kind) => redisErrors.inc({ kind }),
    observeRoundTrip: (ms) => roundTrips.observe(ms / 1000),
  }
}

function* secondsOf(all: Iterable<readonly [string, number]>): Iterable<readonly [string, number]> {
  for (const [which, ms] of all) yield [which, ms / 1000]
}

type CheckLabels = { readonly listener: string; readonly environment: string; readonly code: string }

/** Counted in nested maps, since prom-client hashes its labels at each increment, which the hot path would feel. */
function checkCounts() {
  const counts = new Map<string, Map<string, Map<string, { count: number }>>>()
  const below = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
    const known = map.get(key)
    if (known !== undefined) return known
    const made = make()
    map.set(key, made)
    return made
  }
  return {
    add: (listener: string, environment: string, code: string) => {
      const byEnvironment = below(counts, listener, () => new Map())
      const byCode = below(byEnvironment, environment, () => new Map())
      below(byCode, code, () => ({ count: 0 })).count++
    },
    each: (visit: (labels: CheckLabels, count: number) => void) => {
      for (const [listener, byEnvironment] of counts) {
        for (const [environment, byCode] of byEnvironment) {
          for (const [code, { count }] of byCode) visit({ listener, environment, code }, count)
        }
      }
    },
  }
}

function longestDelay(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: 5 })
  histogram.enable()
  return () => {
    const longest = histogram.max / 1e9
    histogram.reset()
    return Number.isFinite(longest) ? longest : 0
  }
}
