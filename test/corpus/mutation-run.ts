/** Sends a seeded series of damaged requests to a running product, and keeps every sign that one of them got past it. */
import { expect } from 'vitest'
import { type Answer, exchange, type Response } from './client.ts'
import { makeMutator } from './mutate.ts'
import { wrongs } from './oracle.ts'
import { type Seen, valuesOf } from './upstream.ts'
import type { World } from './world.ts'

export type Series = {
  readonly seed: number
  readonly count: number
  /** The statuses that came back are counted in here, so that a caller can say what the series was made of. */
  readonly statuses: Map<number, number>
}

export type Found = {
  readonly failures: readonly string[]
  /** How many requests the upstream saw. */
  readonly reached: number
  /** The longest event-loop delay of any batch, in seconds, whatever its cause. */
  readonly slowest: number
}

const BATCH = 250
/** One of so many is also sent to the other ports. */
const ELSEWHERE = 10
/** Failures after which the series ends: more of them say no more. */
const ENOUGH = 20
const ENOUGH_SLOW = 3
const CONCURRENT = 24
/** Longer than this, and one request keeps all others waiting. */
const LOOP_SECONDS = 0.05
const LOOP_METRIC = /^keyward_event_loop_delay_seconds ([0-9.e+-]+)$/m

type Sent = { readonly index: number; readonly bytes: string; readonly from: string }

/** An address of its own for every request: what the proxy says of the caller then names the request. */
const addressOf = (index: number): string => `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`

export async function runSeries(world: World, { seed, count, statuses }: Series): Promise<Found> {
  const mutated = makeMutator(world.credentials)
  const failures: string[] = []
  const sent = new Map<string, Sent>()
  const fail = (what: string, { index, bytes }: Sent) =>
    failures.push(`seed ${seed}, request ${index}: ${what}\n${JSON.stringify(bytes)}`)
  const first = world.upstream.seen.length
  let checked = first
  let slowest = 0
  await loopDelay(world)
  for (let start = 0; start < count; start += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - start) }, (_none, i): Sent => {
      const index = start + i
      return { index, bytes: mutated(seed, index), from: addressOf(index) }
    })
    for (const one of batch) sent.set(one.from, one)
    const unanswered: Sent[] = []
    const answers = new Map<string, Answer>()
    await inParallel(batch, async (one) => {
      const answer = await ask(world, one)
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      answers.set(one.from, answer)
      if (answer.status === 0) unanswered.push(one)
      if (one.index % ELSEWHERE === 0) await askElsewhere(world, one)
      for (const what of wrongAnswers(answer, one)) fail(what, one)
    })
    const seenOf = new Map<string, number>()
    for (; checked < world.upstream.seen.length; checked++) {
      const seen = world.upstream.seen[checked]
      if (seen === undefined) continue
      objections(seen, { world, sent, failures, fail })
      const from = originOf(seen)
      seenOf.set(from, (seenOf.get(from) ?? 0) + 1)
    }
    for (const one of batch) {
      const answer = answers.get(one.from)
      if (answer !== undefined && (seenOf.get(one.from) ?? 0) > mayBeSeen(answer)) fail('carried out in silence', one)
    }
    for (const text of world.upstream.malformed.splice(0)) {
      failures.push(
        `seed ${seed}, requests ${start} to ${start + BATCH}: malformed at the upstream\n${JSON.stringify(text)}`,
      )
    }
    if (world.standalone.process.exitCode !== null || world.standalone.process.signalCode !== null) {
      failures.push(
        `seed ${seed}, requests ${start} to ${start + BATCH}: the process ended\n${world.standalone.output().slice(-2000)}`,
      )
      for (const one of unanswered.slice(0, CONCURRENT)) fail('one of the first ones without an answer', one)
      break
    }
    const delay = await loopDelay(world)
    slowest = Math.max(slowest, delay)
    // the box has other things to do as well: what keeps the loop must do so again, alone
    if (delay > LOOP_SECONDS) {
      const slow = await slowOnes(world, batch)
      for (const [one, took] of slow) fail(`took the event loop ${took} s`, one)
      if (slow.length > 0) break
    }
    if (failures.length > ENOUGH) break
  }
  return { failures, reached: world.upstream.seen.length - first, slowest }
}

const ask = (world: World, { bytes, from }: Sent): Promise<Answer> =>
  exchange({ port: world.port, bytes, from, lingerMs: 4, patienceMs: 150 })

/** The other ports read the same bytes; what counts there is that the process goes on. */
async function askElsewhere({ standalone }: World, { bytes, from }: Sent): Promise<void> {
  const asCheck = bytes.replace(/ \//, ' /check/envoy/')
  for (const [url, text] of [
    [standalone.checkUrl, asCheck],
    [standalone.adminUrl, bytes],
  ] as const) {
    await exchange({ port: Number(new URL(url).port), bytes: text, from, lingerMs: 1, patienceMs: 50 })
  }
}

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let one = all[next++]; one !== undefined; one = all[next++]) await work(one)
  }
  await Promise.all(Array.from({ length: CONCURRENT }, worker))
}

/** The longest since it was last read. */
async function loopDelay(world: World): Promise<number> {
  const delay = LOOP_METRIC.exec(await world.metrics())?.[1]
  expect(delay, 'keyward_event_loop_delay_seconds is in /metrics').toBeDefined()
  return Number(delay)
}

/** Spread over some seconds, in which a machine that is busy has a quiet moment. */
const TRIES = 12
const PAUSE_MS = 100
const GROUP = 25

/** The requests of a batch that keep the loop each time they are sent, found among their neighbours first. */
async function slowOnes(world: World, batch: readonly Sent[]): Promise<readonly (readonly [Sent, number])[]> {
  const slow: (readonly [Sent, number])[] = []
  for (let at = 0; at < batch.length; at += GROUP) {
    const group = batch.slice(at, at + GROUP)
    if ((await leastDelay(world, group)) <= LOOP_SECONDS) continue
    for (const one of group) {
      const least = await leastDelay(world, [one])
      if (least > LOOP_SECONDS) slow.push([one, least])
      if (slow.length === ENOUGH_SLOW) return slow
    }
  }
  return slow
}

/** The least delay of several tries to send the same again; as soon as one is short enough, it is that. */
async function leastDelay(world: World, again: readonly Sent[]): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < TRIES && least > LOOP_SECONDS; i++) {
    // a machine that has just been slow is given a while
    if (i > 2) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    await loopDelay(world)
    await inParallel(again, async (one) => void (await ask(world, one)))
    least = Math.min(least, await loopDelay(world))
  }
  return least
}

type Judging = {
  readonly world: World
  readonly sent: ReadonlyMap<string, Sent>
  readonly failures: string[]
  readonly fail: (what: string, sent: Sent) => void
}

const originOf = (seen: Seen): string => valuesOf(seen, 'x-forwarded-for').at(-1) ?? ''

/** Behind an answer that says that the connection closes, nothing more may be carried out (RFC 9112 §9.6). */
function mayBeSeen({ responses, closed }: Answer): number {
  const last = responses.at(-1)
  if (!closed || last?.complete !== true || !/\r\nconnection: *close/i.test(last.head)) return Number.POSITIVE_INFINITY
  return responses.filter(({ status, head }) => /\r\nx-upstream: 1/i.test(head) || status === 502 || status === 504)
    .length
}

function objections(seen: Seen, { world, sent, failures, fail }: Judging): void {
  const origin = sent.get(originOf(seen))
  if (origin === undefined) {
    failures.push(`nobody sent what the upstream saw:\n${JSON.stringify(seen.head)}`)
    return
  }
  for (const what of wrongs(seen, origin.bytes, world.credentials))
    fail(`${what}\n${JSON.stringify(seen.head)}`, origin)
}

/** An answer of the upstream must be the answer to this very request, and none of ours may be a failure of ours. */
function wrongAnswers({ responses }: Answer, { from }: Sent): readonly string[] {
  return responses.flatMap((response) => {
    if (response.status === -1) return [`not HTTP: ${JSON.stringify(response.head.slice(0, 200))}`]
    if (response.status === 500) return [`status 500: ${response.head}`]
    return foreign(response, from) ? [`somebody else's answer: ${response.body.slice(0, 300)}`] : []
  })
}

function foreign({ head, body, complete }: Response, from: string): boolean {
  return /\r\nx-upstream: 1/i.test(head) && complete && body !== '' && JSON.parse(body).for?.at(-1) !== from
}
