/** One decision of the core, without any wire: 100, 10,000 and 1,000,000 keys; and what 100,000 keys weigh. */
import { decide } from '../src/core/decide.ts'
import type { CheckRequest } from '../src/core/request.ts'
import { populate } from './population.ts'

const ROUNDS = 3
const DECISIONS = 200_000
const NOW = 1_795_000_000_000

/** What a proxy sends along on an ordinary request: twelve headers. */
const HEADERS = [
  ['Host', 'api.example.com'],
  ['User-Agent', 'curl/8.5.0'],
  ['Accept', 'application/json'],
  ['Accept-Encoding', 'gzip, br'],
  ['Accept-Language', 'en'],
  ['Cache-Control', 'no-cache'],
  ['Content-Type', 'application/json'],
  ['X-Forwarded-For', '203.0.113.7'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Request-Id', '0b6c4d2e-7f31-4a6b-9d8e-5c1f2a3b4c5d'],
  ['Traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
].flat()

const TARGETS = ['/v1/licenses', '/v1/licenses/42?expand=all', '/v1/workspaces/ws-3-3'] as const

function requests(samples: readonly string[]): readonly CheckRequest[] {
  return samples.map((key, i) => ({
    method: 'GET',
    target: TARGETS[i % TARGETS.length] ?? '/',
    hosts: ['api.example.com'],
    headers: [...HEADERS, 'Authorization', `Bearer ${key}`],
    address: '203.0.113.7',
    requestId: '0b6c4d2e-7f31-4a6b-9d8e-5c1f2a3b4c5d',
    pin: undefined,
    ability: { removal: true, query: true, filter: true },
  }))
}

function measure(count: number): void {
  const before = memory()
  const { index, keys, samples } = populate(count)
  const mib = (memory() - before) / 1024 / 1024
  const asked = requests(samples)
  const rounds: number[] = []
  let allowed = 0
  for (let round = 0; round <= ROUNDS; round++) {
    const from = process.cpuUsage()
    for (let i = 0; i < DECISIONS; i++) {
      const request = asked[i % asked.length]
      if (request !== undefined && decide(request, index, NOW).kind === 'allow') allowed++
    }
    const { user, system } = process.cpuUsage(from)
    // the first round warms up
    if (round > 0) rounds.push((user + system) / DECISIONS)
  }
  const [least, middle, most] = rounds.toSorted((a, b) => a - b).map((us) => us.toFixed(2))
  console.log(
    `decide keys=${count} cpu_us median=${middle} min=${least} max=${most} index_mib=${mib.toFixed(1)} allowed=${(allowed / DECISIONS / (ROUNDS + 1)).toFixed(2)} size=${keys.size()}`,
  )
}

function memory(): number {
  globalThis.gc?.()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

for (const count of [100, 10_000, 100_000, 1_000_000]) measure(count)
