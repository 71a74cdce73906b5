/** Scenarios of the gRPC surface that are no single message: what is compressed, what is no message, who can't wait. */
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { ask } from '../support/ask.ts'
import { encodeRequest } from '../support/ext-authz-proto.ts'
import { until } from '../support/until.ts'
import { asker, decisionOf } from './grpc-ask.ts'
import type { GRPC_SCENARIOS } from './grpc-cases.ts'
import { call, ended, gone } from './h2-caller.ts'
import { data, frame, framed, headers, TYPE, uint32 } from './h2-frames.ts'
import { called, GOOD, goodWith, outcomeOf } from './h2-outcome.ts'
import type { World } from './world.ts'

const MEBIBYTE = 1024 * 1024
/** What the process may grow by, whatever a message would unfold to. */
const GROWTH_BYTES = 32 * MEBIBYTE

export const grpcPort = ({ standalone }: World): number => Number(new URL(standalone.checkUrl).port) + 1

const questionBy = (key: string | undefined): object => ({
  attributes: { request: { http: { method: 'GET', path: '/api/x', host: 'api.test', headers: { 'x-api-key': key } } } },
})

async function residentBytes(world: World): Promise<number> {
  return Number(/^process_resident_memory_bytes (.*)$/m.exec(await world.metrics())?.[1])
}

/** 1 GiB of nothing, as one gzip member after the other: what is left of it is about 1 MiB. */
const gibibyte = (): Buffer =>
  Buffer.concat(Array<Buffer>(16).fill(gzipSync(Buffer.alloc(64 * MEBIBYTE), { level: 9 })))

/** The last field of the question, without which no host is asked for: with it, what follows may be fields that nobody knows. */
const HOST_BYTES = 10

/** Random bytes, most of which begin like a check. */
function damaged(question: Uint8Array, round: number): Uint8Array {
  const random = randomBytes(1 + (round % 200))
  return round % 4 === 1
    ? random
    : Buffer.concat([question.subarray(0, 1 + (round % (question.length - HOST_BYTES))), random])
}

/** Of GRPC_SCENARIOS all but the one that needs Keyward gone, which comes last in the file of tests. */
type Run = Exclude<(typeof GRPC_SCENARIOS)[number], 'GRPC-failopen-probe'>

export const GRPC_RUN: Readonly<Record<Run, (world: World) => Promise<void>>> = {
  // RESOURCE_EXHAUSTED would be for a message that is too long once it is unfolded; nothing is unfolded here, and what the
  // gRPC protocol says of a compression that a server does not know is UNIMPLEMENTED
  'GRPC-gzip-bomb': async (world) => {
    const place = { port: grpcPort(world) }
    const before = await residentBytes(world)
    const small = gzipSync(Buffer.alloc(10 * MEBIBYTE), { level: 9 })
    const question = Buffer.from(encodeRequest(questionBy(world.credentials.KEY_OK)))
    const malformed = Buffer.from(gzipSync(question)).subarray(0, 30)
    for (const bytes of [small, gzipSync(question), malformed, Buffer.alloc(0), question]) {
      for (const encoding of ['gzip', 'deflate', 'identity', 'bomb']) {
        const caller = await call(place)
        await caller.send(headers(1, goodWith(['grpc-encoding', encoding])), data(1, framed(bytes, 1), { end: true }))
        await ended(caller, 1)
        expect([encoding, bytes.length, outcomeOf(caller)]).toEqual([encoding, bytes.length, 'grpc 12'])
        caller.close()
      }
    }
    const caller = await call(place)
    const large = framed(gibibyte(), 1)
    await caller.send(headers(1, goodWith(['grpc-encoding', 'gzip'])))
    for (let at = 0; at < large.length && !gone(caller) && outcomeOf(caller) === 'nothing'; at += 16_384) {
      await until('there is room for more', () => caller.room() >= 16_384 || outcomeOf(caller) !== 'nothing', 60_000)
      caller.used(16_384)
      await caller.send(data(1, large.subarray(at, at + 16_384), { end: at + 16_384 >= large.length }))
    }
    await ended(caller, 1)
    // longer than a check can be: refused as one, so that no proxy takes it for an outage
    expect(outcomeOf(caller)).toMatch(/^(denied 400|grpc (8|12)|reset \d+)$/)
    caller.close()
    expect((await residentBytes(world)) - before).toBeLessThan(GROWTH_BYTES)
  },

  'GRPC-bad-protobuf': async (world) => {
    const caller = await call({ port: grpcPort(world) })
    const question = encodeRequest(questionBy(world.credentials.KEY_OK))
    const came = new Set<string>()
    for (let i = 0; i < 5000; i += 100) {
      const streams = Array.from({ length: 100 }, (_none, k) => 2 * (i + k) + 1)
      await caller.send(...streams.flatMap((stream) => called(GOOD, damaged(question, stream), stream)))
      await Promise.all(streams.map((stream) => ended(caller, stream)))
      for (const stream of streams) came.add(outcomeOf(caller, stream))
    }
    caller.close()
    // bytes that do happen to be a message are one without a credential
    expect([...came].filter((one) => !/^(grpc (3|13)|denied (400|401|403))$/.test(one))).toEqual([])
    expect([...came]).toContain('grpc 3')
  },

  'GRPC-deadline': async (world) => {
    const check = asker(grpcPort(world))
    const question = questionBy(world.credentials.KEY_LOW_RATE)
    // five a minute: who does not wait for the answer has spent one at most
    const hasty = await check.ask(question, 1).then(decisionOf, ({ code }: { code: number }) => `grpc ${code}`)
    expect(['allow', 'grpc 4']).toContain(hasty)
    const caller = await call({ port: grpcPort(world) })
    for (let stream = 1; stream < 100; stream += 2) {
      // taken back before there is a message, or before its end
      const begun = data(stream, framed(encodeRequest(question)).subarray(0, stream % 3 === 0 ? 20 : 0))
      await caller.send(headers(stream, GOOD), begun, frame(TYPE.reset, uint32(8), { stream }))
    }
    const came: string[] = []
    for (let i = 0; i < 6; i++) came.push(decisionOf(await check.ask(question)))
    const allowed = came.filter((one) => one === 'allow').length
    expect([4, 5]).toContain(allowed)
    expect(came.slice(allowed)).toEqual(Array<string>(6 - allowed).fill('429 rate_limited'))
    caller.close()
    check.close()
    expect((await ask(`${world.standalone.adminUrl}/readyz`)).status).toBe(200)
  },
}
