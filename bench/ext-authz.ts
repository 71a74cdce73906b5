/** The gRPC adapter without any wire: a message in, an answer out; and its parts by themselves. */
import { readCheckRequest } from '../src/authz/check-request-wire.ts'
import { okResponse } from '../src/authz/check-response-wire.ts'
import { readEnvoyHead } from '../src/authz/envoy-head.ts'
import { extAuthz } from '../src/authz/ext-authz.ts'
import { decide } from '../src/core/decide.ts'
import type { CheckRequest } from '../src/core/request.ts'
import { makeCheck } from '../src/enforce/check.ts'
import { checkRequest } from './check-request.ts'
import { populate } from './population.ts'

const KEYS = 10_000
const ROUNDS = 12
const CALLS = 60_000
const NOW = 1_795_000_000_000

const { index, samples } = populate(KEYS)
const messages = await Promise.all(samples.slice(0, 500).map(async (key) => (await checkRequest(key)).subarray(5)))
const limiter = { spend: () => ({ ok: true as const, left: [] }) }
const check = makeCheck({ index: () => index, limiter, nowUs: () => NOW * 1000, note: () => undefined })
const answer = extAuthz({ check, newRequestId: () => 'none' })

const requests = messages.map((message): CheckRequest => {
  const { method, path, address } = readCheckRequest(message)
  const head = readEnvoyHead(readCheckRequest(message))
  if ('untold' in head) throw new Error(head.untold)
  const ability = { removal: true, query: true, filter: false }
  const { hosts, headers } = head
  return { method, target: path, hosts, headers, address, requestId: 'none', pin: undefined, ability }
})
const allowed = requests.map((request) => {
  const ruling = decide(request, index, NOW)
  if (ruling.kind !== 'allow') throw new Error(`a good key is refused: ${ruling.kind}`)
  const { upstream: headers, record: owner } = ruling
  return {
    headers,
    steady: owner && { owner, count: headers.length - 2 },
    remove: ['authorization', 'x-api-key'],
    responseHeaders: ['x-request-id', 'none'],
  }
})

/** The least of the rounds: what it takes where nothing else has the machine. */
function measure<T>(what: string, over: readonly T[], act: (one: T) => unknown): void {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage()
    for (let i = 0; i < CALLS; i++) {
      const one = over[i % over.length]
      if (one !== undefined) act(one)
    }
    const { user, system } = process.cpuUsage(from)
    least = Math.min(least, (user + system) / CALLS)
  }
  console.log(`${what}: ${least.toFixed(2)} us`)
}

measure('adapter, from message to answer', messages, answer)
measure('reading the message', messages, readCheckRequest)
measure('reading the message and its headers', messages, (message) => readEnvoyHead(readCheckRequest(message)))
measure('the decision', requests, (request) => decide(request, index, NOW))
measure('writing the answer', allowed, okResponse)
