/** Every metric of the operator: name, help and labels in one table, and the counters behind them. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Docs and tests read this table. */
export const OPERATOR_METRICS = {
  keyward_operator_leading: { help: 'Whether this replica leads: 1 or 0', labels: [] },
  keyward_operator_reconciles_total: {
    help: 'Looks at one key: settled, or what is to be done about the trouble (retry, wait, stop)',
    labels: ['outcome'],
  },
  keyward_operator_reconcile_seconds: { help: 'How long one look at a key took, with all that was done', labels: [] },
  keyward_operator_queue_depth: { help: 'Keys that wait for their turn or are looked at now', labels: [] },
  keyward_operator_handed_over_total: { help: 'Versions that reached their owner', labels: [] },
  keyward_operator_denied_claims_total: { help: 'Claims that were denied, by reason', labels: ['reason'] },
  keyward_operator_troubles_total: { help: 'Troubles with the API server, by code', labels: ['code'] },
  keyward_operator_staleness_seconds: { help: 'How old what is known of the cluster may be', labels: [] },
  keyward_admission_requests_total: {
    help: 'Webhooks that were answered: allowed, refused, unavailable, or bad_request',
    labels: ['webhook', 'answer'],
  },
  keyward_admission_duration_seconds: { help: 'How long the answer to a webhook took', labels: ['webhook'] },
  keyward_access_reviews_total: {
    help: 'Questions to the API server about what somebody may grant, by what they were asked for',
    labels: ['lane'],
  },
  keyward_webhook_certificate_expiry_timestamp_seconds: {
    help: 'When the certificate of the webhooks ends, in seconds since 1970; 0 while there is none',
    labels: [],
  },
} as const satisfies Record<string, { readonly help: string; readonly labels: readonly string[] }>

export type Outcome = 'settled' | 'retry' | 'wait' | 'stop'

export type OperatorMetrics = {
  /** Prometheus text format 0.0.4. */
  readonly text: () => Promise<string>
  readonly contentType: string
  readonly reconciled: (outcome: Outcome, ms: number) => void
  readonly handedOver: () => void
  readonly denied: (reason: string) => void
  readonly trouble: (code: string) => void
  readonly admitted: (webhook: string, answer: string, ms: number) => void
  readonly reviewed: (lane: string) => void
}

/** What is read at each scrape instead of being counted. */
export type OperatorGauges = {
  readonly leading: () => boolean
  readonly queueDepth: () => number
  readonly staleMs: () => number
  /** Milliseconds since 1970; undefined: there is none yet. */
  readonly certificateExpiresAt: () => number | undefined
}

const RECONCILE_SECONDS = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
const ADMISSION_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3]

export function makeOperatorMetrics(version: string, gauges: OperatorGauges): OperatorMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  type Name = keyof typeof OPERATOR_METRICS
  const named = (name: Name) => ({
    name,
    help: OPERATOR_METRICS[name].help,
    labelNames: [...OPERATOR_METRICS[name].labels],
    registers: [registry],
  })
  const reconciles = new Counter<string>(named('keyward_operator_reconciles_total'))
  const handOvers = new Counter<string>(named('keyward_operator_handed_over_total'))
  const denials = new Counter<string>(named('keyward_operator_denied_claims_total'))
  const troubles = new Counter<string>(named('keyward_operator_troubles_total'))
  const durations = new Histogram<string>({
    ...named('keyward_operator_reconcile_seconds'),
    buckets: RECONCILE_SECONDS,
  })
  const admissions = new Counter<string>(named('keyward_admission_requests_total'))
  const admissionDurations = new Histogram<string>({
    ...named('keyward_admission_duration_seconds'),
    buckets: ADMISSION_SECONDS,
  })
  const reviews = new Counter<string>(named('keyward_access_reviews_total'))
  const gauge = (name: Name, read: () => number) =>
    new Gauge<string>({
      ...named(name),
      collect() {
        this.set(read())
      },
    })
  gauge('keyward_operator_leading', () => (gauges.leading() ? 1 : 0))
  gauge('keyward_operator_queue_depth', gauges.queueDepth)
  gauge('keyward_operator_staleness_seconds', () => gauges.staleMs() / 1000)
  gauge('keyward_webhook_certificate_expiry_timestamp_seconds', () => (gauges.certificateExpiresAt() ?? 0) / 1000)
  new Gauge({
    name: 'keyward_build_info',
    help: 'Always 1; the version is the label',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1)
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    reconciled: (outcome, ms) => {
      reconciles.inc({ outcome })
      durations.observe(ms / 1000)
    },
    handedOver: () => handOvers.inc(),
    denied: (reason) => denials.inc({ reason }),
    trouble: (code) => troubles.inc({ code }),
    admitted: (webhook, answer, ms) => {
      admissions.inc({ webhook, answer })
      admissionDurations.observe({ webhook }, ms / 1000)
    },
    reviewed: (lane) => reviews.inc({ lane }),
  }
}
