/** The raw cases of the bypass corpus that name proxies, through real ones as shipped; the upstream's own log is the judge. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BEHIND_PROXIES } from '../corpus/behind-proxies.ts'
import type { RawCase } from '../corpus/cases.ts'
import { type Answer, exchange } from '../corpus/client.ts'
import { expectationOf } from '../corpus/expectations.ts'
import { fill } from '../corpus/fill.ts'
import { wrongs } from '../corpus/oracle.ts'
import { startWorld, type World } from '../corpus/world.ts'
import { startCaddy } from '../support/caddy.ts'
import { startEnvoyGrpc, startEnvoyHttp } from '../support/envoy.ts'
import { startHaproxy } from '../support/haproxy.ts'
import { startNginx } from '../support/nginx.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { STANDS_BEHIND, withEmptyOnes } from './corpus-differences.ts'
import { patient } from './fronts/patient.ts'

const PROXIES = {
  'envoy-grpc': startEnvoyGrpc,
  'envoy-http': startEnvoyHttp,
  nginx: startNginx,
  caddy: startCaddy,
  haproxy: startHaproxy,
} as const

/** Of the keys of the corpus. */
const MAY_BE_EMPTY = ['x-keyward-user-group', 'x-keyward-visible', 'x-keyward-subject']

let world: World

beforeAll(async () => {
  world = await startWorld()
})
// undefined where it did not start
afterAll(() => world?.stop())

test('the cases are those whose surface names proxies', () => {
  expect(BEHIND_PROXIES).toHaveLength(75)
  expect(BEHIND_PROXIES.filter(({ id }) => id.startsWith('PATH-'))).toHaveLength(35)
})

describe.each(Object.entries(PROXIES))('%s', (name, start) => {
  let proxy: ShippedProxy

  beforeAll(async () => {
    const checkPort = Number(new URL(world.standalone.checkUrl).port)
    proxy = await start({ checkPort, grpcPort: checkPort + 1, upstreamPort: world.upstream.port, edit: patient })
  })
  afterAll(() => proxy?.stop())

  const send = (bytes: string): Promise<Answer> =>
    exchange({ port: proxy.port, bytes, lingerMs: 20, patienceMs: 20_000 })

  test.each(BEHIND_PROXIES.map((one) => [one.id, one] as const))('%s', THREE_TRIALS, async (id, one: RawCase) => {
    const before = world.upstream.seen.length
    const sent = fill(one.input, world.credentials)
    const answer = await send(sent)
    const seen = world.upstream.seen.slice(before)
    const otherwise = STANDS_BEHIND[id]?.[name]
    const status = otherwise?.status ?? one.expected.status
    expect(status, answer.raw.slice(0, 600)).toContain(answer.status)
    const targets = seen.map(({ method, target }) => `${method} ${target}`)
    const upstream = otherwise?.upstream ?? expectationOf(one)?.upstream
    if (upstream === 'not-reached') expect(targets).toEqual([])
    if (upstream === 'reached') expect(targets).toHaveLength(1)
    expect(targets.filter((target) => target.includes('/admin'))).toEqual([])
    const told = name === 'nginx' ? seen.map((one) => withEmptyOnes(one, MAY_BE_EMPTY)) : seen
    const wrong = told.flatMap((one) => wrongs(one, sent, world.credentials))
    expect(wrong.filter((what) => otherwise?.lets?.test(what) !== true)).toEqual([])
    expect(world.upstream.malformed).toEqual([])
    if (otherwise?.noMore !== true)
      await expectationOf(one)?.also?.({ world: { ...world, send }, one, sent, answer, seen })
  })
})
