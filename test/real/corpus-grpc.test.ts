/** The corpus as Envoy would tell it over gRPC, and Keyward gone while a real Envoy asks it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RAW_CASES } from '../corpus/cases.ts'
import { fill } from '../corpus/fill.ts'
import { type Asker, asker, decisionOf, type HttpSaid, RPC_CODES, seenBehind, sentAs } from '../corpus/grpc-ask.ts'
import { CORPUS_GRPC, type GrpcCase, questionOf } from '../corpus/grpc-cases.ts'
import { MORE_GRPC } from '../corpus/grpc-more.ts'
import { asCheckRequest } from '../corpus/in-process.ts'
import { wrongs } from '../corpus/oracle.ts'
import { GRPC_RUN, grpcPort } from '../corpus/scenarios-grpc.ts'
import { valuesOf } from '../corpus/upstream.ts'
import { startWorld, type World } from '../corpus/world.ts'
import { patient } from '../proxies/fronts/patient.ts'
import { ask } from '../support/ask.ts'
import { startEnvoyGrpc } from '../support/envoy.ts'
import { freePort } from '../support/process.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

let world: World
let check: Asker

beforeAll(async () => {
  world = await startWorld()
  check = asker(grpcPort(world))
})
afterAll(async () => {
  check?.close()
  await world?.stop()
})

type Message = { readonly attributes?: { readonly request?: { readonly http?: HttpSaid } } }

async function run(one: GrpcCase): Promise<void> {
  const question = questionOf(one, world.credentials) as Message
  const answer = await check.ask(question)
  const came = decisionOf(answer)
  const [decision, otherwise] = one.comes.startsWith('allow') ? one.comes.split(' ') : [one.comes]
  expect(came).toBe(decision)
  if (came !== 'allow') {
    expect(answer.status?.code).toBe(RPC_CODES[came.slice(0, 3)])
    return
  }
  const http = question.attributes?.request?.http ?? {}
  const seen = seenBehind(http, answer)
  // what a proxy's own configuration pins is not for the oracle, which goes by the host
  if (otherwise === undefined) expect(wrongs(seen, sentAs(http), world.credentials)).toEqual([])
  else expect([...valuesOf(seen, 'x-keyward-environment'), http.host]).toContain(otherwise)
}

test.each(CORPUS_GRPC.map((one) => [one.id, one] as const))('%s', (_id, one) => run(one))

test.each(MORE_GRPC.map((one) => [one.id, one] as const))('%s', (_id, one) => run(one))

/** A raw request as Envoy tells it: the headers as a map, where those of one name are joined, or as a list. */
function toldBy(family: 'map' | 'list', bytes: string): HttpSaid | undefined {
  const { method, target, hosts, headers } = asCheckRequest(bytes)
  // a string of protobuf holds text; Envoy writes ! for what is none
  const text = (latin1: string) => latin1.replace(/[\u0080-\u00ff]/g, '!')
  const [host = ''] = hosts
  const named: [string, string][] = []
  for (let i = 0; i + 1 < headers.length; i += 2) named.push([headers[i] ?? '', headers[i + 1] ?? ''])
  const others = named.filter(([name]) => name.toLowerCase() !== 'host')
  const known = { method: text(method), path: text(target), host: text(hosts.length > 1 ? hosts.join(',') : host) }
  if (family === 'list') {
    const listed = others.map(([key, value]) => ({
      key: text(key),
      rawValue: Buffer.from(value, 'latin1').toString('base64'),
    }))
    return { ...known, headerMap: { headers: listed } }
  }
  const joined: Record<string, string> = {}
  for (const [name, value] of others) {
    const key = text(name).toLowerCase()
    joined[key] = joined[key] === undefined ? text(value) : `${joined[key]},${text(value)}`
  }
  return { ...known, headers: joined }
}

test.each(['map', 'list'] as const)('the raw cases of the corpus, told with a %s of headers', async (family) => {
  const wrong: string[] = []
  let yes = 0
  for (const one of RAW_CASES) {
    const http = toldBy(family, fill(one.input, world.credentials))
    if (http === undefined) continue
    const answer = await check.ask({ attributes: { request: { http } } })
    const came = decisionOf(answer)
    if (came !== 'allow') {
      if (!came.startsWith('4')) wrong.push(`${one.id}: ${came}`)
      continue
    }
    yes++
    const seen = seenBehind(http, answer)
    for (const objection of wrongs(seen, sentAs(http), world.credentials)) wrong.push(`${one.id}: ${objection}`)
  }
  expect(wrong).toEqual([])
  expect(yes).toBeGreaterThan(10)
})

test.each(Object.entries(GRPC_RUN))('%s', THREE_TRIALS, (_id, scenario) => scenario(world))

test('GRPC-failopen-probe', async () => {
  const admin = await freePort()
  const envoy = await startEnvoyGrpc({
    checkPort: grpcPort(world) - 1,
    grpcPort: grpcPort(world),
    upstreamPort: world.upstream.port,
    edit: (text) =>
      `${patient(text)}\nadmin: {address: {socket_address: {address: 127.0.0.1, port_value: ${admin}}}}\n`,
  })
  const get = async (path: string, key: string | undefined) =>
    (await ask(`http://127.0.0.1:${envoy.port}${path}`, { host: 'api.test', key })).status
  const stats = async () => (await ask(`http://127.0.0.1:${admin}/stats?filter=ext_authz`)).text
  const { KEY_OK, KEY_REVOKED } = world.credentials
  await until('a good key passes', async () => (await get('/api/x', KEY_OK)) === 200)
  expect(await get('/api/x', KEY_REVOKED)).toBe(401)

  const before = world.upstream.seen.length
  await world.standalone.kill()
  for (let i = 0; i < 20; i++) {
    for (const path of ['/api/x', '/admin/users', '/public/x']) expect([403, 503]).toContain(await get(path, KEY_OK))
  }
  expect(world.upstream.seen.length).toBe(before)
  expect(await stats()).toMatch(/^http\.edge\.ext_authz\.error: [1-9]/m)
  // a counter that was never counted is either 0 or not there
  expect(await stats()).not.toMatch(/failure_mode_allowed: [1-9]/)
  await envoy.stop()
})
