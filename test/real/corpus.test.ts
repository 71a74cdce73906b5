/** The bypass corpus against `keyward standalone`; the upstream's own log says whether something got past. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAMILIES, mayPass, questionOf } from '../corpus/asked-by-proxies.ts'
import { RAW_CASES, type RawCase } from '../corpus/cases.ts'
import { exchange, headerOf } from '../corpus/client.ts'
import { expectationOf, type Run, STANDS_OTHERWISE } from '../corpus/expectations.ts'
import { fill } from '../corpus/fill.ts'
import { wrongs } from '../corpus/oracle.ts'
import { SCENARIOS } from '../corpus/scenarios.ts'
import { startWorld, type World } from '../corpus/world.ts'
import { THREE_TRIALS } from '../support/trials.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
// undefined where it did not start
afterAll(() => world?.stop())

/** Cases that were sent before: what did not come in time then is listened for longer now. */
const sentBefore = new Set<string>()
const LISTEN_ON_MS = 1500

function worldFor(id: string): World {
  if (!sentBefore.has(id)) {
    sentBefore.add(id)
    return world
  }
  return { ...world, send: (bytes, options) => world.send(bytes, { lingerMs: LISTEN_ON_MS, ...options }) }
}

async function run(world: World, one: RawCase): Promise<Run> {
  const before = world.upstream.seen.length
  const sent = fill(one.input, world.credentials)
  const answer = await world.send(sent, { patienceMs: one.expected.status.includes(0) ? 1000 : 20_000 })
  return { world, one, sent, answer, seen: world.upstream.seen.slice(before) }
}

/** Another caller's request on a connection of its own is answered by its own response, whatever came before. */
async function canary(name: string): Promise<void> {
  const target = `/api/canary/${name}`
  const bytes = `GET ${target} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${world.credentials.KEY_RO}\r\nConnection: close\r\n\r\n`
  const { responses } = await world.send(bytes)
  expect(responses.map(({ status }) => status)).toEqual([200])
  expect(JSON.parse(responses[0]?.body ?? '')).toMatchObject({ method: 'GET', target })
}

describe('raw requests', () => {
  test.each(RAW_CASES.map((one) => [one.id, one] as const))('%s', THREE_TRIALS, async (id, one) => {
    const otherwise = STANDS_OTHERWISE[id]
    const expectation = expectationOf(one)
    if (expectation === undefined) throw new Error(`nothing is written down of what ${id} demands of the upstream`)
    const ran = await run(worldFor(id), one)
    await canary(id)
    expect(otherwise?.status ?? one.expected.status, ran.answer.raw.slice(0, 600)).toContain(ran.answer.status)
    const targets = ran.seen.map(({ method, target }) => `${method} ${target}`)
    const upstream = otherwise?.upstream ?? expectation.upstream
    if (upstream === 'not-reached') expect(targets).toEqual([])
    if (upstream === 'reached') expect(targets).toHaveLength(1)
    expect(targets.filter((target) => target.includes('/admin'))).toEqual([])
    expect(ran.seen.flatMap((seen) => wrongs(seen, ran.sent, world.credentials))).toEqual([])
    expect(world.upstream.malformed).toEqual([])
    await expectation.also?.(ran)
  })
})

describe('raw requests, as other proxies ask about them', () => {
  test.each(FAMILIES)('%s', async (family) => {
    const port = Number(new URL(world.standalone.checkUrl).port)
    const ok = world.credentials.KEY_OK ?? ''
    const wrong: string[] = []
    let asked = 0
    for (const one of RAW_CASES) {
      const bytes = questionOf(family, one, world.credentials)
      const rule = mayPass(one)
      if (bytes === undefined || rule === 'either') continue
      asked++
      const answer = await exchange({ port, bytes, lingerMs: 20, patienceMs: 20_000 })
      const id = headerOf(answer.responses[0] ?? { head: '' }, 'x-keyward-key-id')
      const asKeyOk = answer.status === 200 && id === ok.slice(0, ok.lastIndexOf('_'))
      const right = rule === 'always' ? asKeyOk : answer.status >= 400 && answer.status < 500
      if (!right) wrong.push(`${one.id}: ${answer.raw.slice(0, 300)}`)
    }
    expect(wrong).toEqual([])
    expect(asked).toBeGreaterThan(90)
  })
})

describe('scenarios', () => {
  test.each(Object.entries(SCENARIOS))('%s', THREE_TRIALS, async (_id, scenario) => {
    await scenario(world)
    await canary('after-scenario')
  })
})

test('the process that answered first is the one that answers last, and no credential is in what it wrote', () => {
  expect(world.standalone.process.exitCode).toBe(null)
  for (const [fixture, key] of Object.entries(world.credentials)) {
    const secret = key.slice(key.lastIndexOf('_') + 1)
    expect(world.standalone.output().includes(secret), `${fixture} in the log`).toBe(false)
  }
})
