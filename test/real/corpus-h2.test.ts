/** HTTP/2 written byte by byte to the gRPC port, plain and over TLS: what is wrong is never answered by a yes. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call, ended, gone, type Place } from '../corpus/h2-caller.ts'
import { CORPUS_FLOODS, type Flood, MORE_FLOODS } from '../corpus/h2-floods.ts'
import { CORPUS_CALLS, CORPUS_DROPPED, MORE_CALLS, ODD_CALLS } from '../corpus/h2-malformed.ts'
import { called, GOOD, outcomeOf } from '../corpus/h2-outcome.ts'
import { ask } from '../support/ask.ts'
import { type Authz, startAuthz } from '../support/authz.ts'
import { awakeMs } from '../support/awake.ts'
import { makeAuthority } from '../support/certificates.ts'
import { decodeResponse, encodeRequest } from '../support/ext-authz-proto.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

let standalone: Standalone
let authz: Authz
let places: Readonly<Record<string, Place>>
/** A check that deserves a yes. */
let good: Uint8Array

beforeAll(async () => {
  standalone = await startStandalone({ manifests: join(import.meta.dirname, '../corpus/manifests') })
  const { key } = await standalone.key('team-a/ok')
  const http = { method: 'GET', path: '/api/x', host: 'api.test', headers: { 'x-api-key': key } }
  good = encodeRequest({ attributes: { request: { http } } })
  const authority = await makeAuthority()
  const { certFile, keyFile } = await authority.issue(['127.0.0.1'])
  authz = await startAuthz({ home: standalone.home, args: ['--tls-cert', certFile, '--tls-key', keyFile] })
  places = {
    plain: { port: Number(new URL(standalone.checkUrl).port) + 1 },
    TLS: { port: authz.ports.grpc, ca: authority.ca },
  }
})
afterAll(async () => {
  await authz?.stop()
  await standalone?.stop()
})

/** While somebody else sends all that it can, on two cores that other tests use as well. */
const OTHERS_WITHIN_MS = 10_000

/** Asks over and over until it is told to stop. */
function askMeanwhile(ask: () => Promise<string>) {
  let on = true
  const answers: string[] = []
  let slowestMs = 0
  const asking = (async () => {
    while (on) {
      const began = awakeMs()
      answers.push(await ask())
      slowestMs = Math.max(slowestMs, awakeMs() - began)
    }
  })()
  return {
    stop: async () => {
      on = false
      await asking
      return { answers, slowestMs }
    },
  }
}

describe.each(['plain', 'TLS'])('%s', (name) => {
  const place = (): Place => places[name] ?? { port: 0 }

  async function outcome(sent: readonly Uint8Array[], stream = 1): Promise<string> {
    const caller = await call(place())
    await caller.send(...sent)
    await ended(caller, stream)
    const came = outcomeOf(caller, stream)
    caller.close()
    return came
  }

  test.each(Object.entries(ODD_CALLS))('%s is answered', async (_what, sent) => {
    expect(await outcome(sent(good))).toBe('allowed')
  })

  test.each(Object.entries(CORPUS_CALLS))('%s', async (_id, calls) => {
    for (const { sent, ends } of calls) expect([...ends, 'closed']).toContain(await outcome(sent(good)))
    expect(await outcome(called(GOOD, good))).toBe('allowed')
  })

  /** What a yes says to the upstream, but for the ID of the request. */
  async function saidOf(sent: readonly Uint8Array[]): Promise<readonly string[]> {
    const caller = await call(place())
    await caller.send(...sent)
    await ended(caller, 1)
    expect(outcomeOf(caller)).toBe('allowed')
    const { okResponse } = decodeResponse(caller.stream(1).data.subarray(5))
    caller.close()
    return (okResponse?.headers ?? []).map(({ header }) =>
      /request-id$/.test(header.key) ? '' : Object.values(header).join(),
    )
  }

  test.each(Object.entries(CORPUS_DROPPED))('%s', async (_id, calls) => {
    const plain = await saidOf(called(GOOD, good))
    expect(plain.length).toBeGreaterThan(10)
    for (const sent of calls) expect(await saidOf(sent(good))).toEqual(plain)
  })

  test.each(Object.entries(MORE_CALLS))('%s', async (_what, { sent, ends }) => {
    expect([...ends, 'closed']).toContain(await outcome(sent(good)))
    expect(await outcome(called(GOOD, good))).toBe('allowed')
  })

  async function residentMiB(): Promise<number> {
    const { adminUrl } = name === 'plain' ? standalone : authz
    const { text } = await ask(`${adminUrl}/metrics`)
    return Number(/^process_resident_memory_bytes (.*)$/m.exec(text)?.[1]) / 1024 / 1024
  }

  async function survives({ send, ends, growthMiB }: Flood): Promise<void> {
    const before = await residentMiB()
    const caller = await call(place())
    const others = askMeanwhile(() => outcome(called(GOOD, good)))
    await send(caller, good)
    const { answers, slowestMs } = await others.stop()
    expect([...new Set(answers)]).toEqual(['allowed'])
    expect(slowestMs).toBeLessThan(OTHERS_WITHIN_MS)
    if (ends === 'connection') await until('the connection has ended', () => gone(caller))
    if (ends === 'refused') await until('it is refused', () => outcomeOf(caller) !== 'nothing')
    for (const stream of [1, 3]) expect(outcomeOf(caller, stream)).not.toBe('allowed')
    caller.close()
    expect((await residentMiB()) - before).toBeLessThan(growthMiB)
    expect(await outcome(called(GOOD, good))).toBe('allowed')
  }

  test.each(Object.entries(CORPUS_FLOODS))('%s', THREE_TRIALS, async (_id, floods) => {
    for (const flood of floods) await survives(flood)
  })

  test.each(Object.entries(MORE_FLOODS))('%s', THREE_TRIALS, async (_what, flood) => {
    await survives(flood)
  })
})

test('who resets its connection while it is refused leaves nothing behind', async () => {
  const openFiles = () => readdirSync(`/proc/${authz.process.pid}/fd`).length
  const before = openFiles()
  const [, refused] = CORPUS_FLOODS['H2-hpack-bomb'] ?? []
  for (let i = 0; i < 30; i++) {
    const caller = await call(places.TLS ?? { port: 0 })
    await refused?.send(caller, good)
    caller.close()
  }
  await until('its connections are gone', () => openFiles() <= before, 40_000)
})

test('the processes that answered first answer last', () => {
  expect([standalone.process.exitCode, authz.process.exitCode]).toEqual([null, null])
})
