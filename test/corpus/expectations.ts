/** What each raw-http case demands beyond its status, in a form that can be run; a case that is not here has no way to pass. */
import { expect } from 'vitest'
import { MAX_CREDENTIAL_LENGTH } from '../../src/core/credential.ts'
import { presented } from '../../src/core/presented.ts'
import type { RawCase } from './cases.ts'
import { type Answer, headerOf } from './client.ts'
import { fill } from './fill.ts'
import { type Seen, valuesOf } from './upstream.ts'
import type { World } from './world.ts'

export type Run = {
  readonly world: World
  readonly one: RawCase
  /** The bytes that were sent. */
  readonly sent: string
  readonly answer: Answer
  /** What the upstream logged of it. */
  readonly seen: readonly Seen[]
}

export type Expectation = {
  readonly upstream: 'not-reached' | 'reached' | 'either'
  readonly also?: (run: Run) => void | Promise<void>
}

const NEVER: Expectation = { upstream: 'not-reached' }
const REACHED: Expectation = { upstream: 'reached' }

const absent =
  (...names: readonly string[]) =>
  ({ seen }: Run) => {
    for (const one of seen) for (const name of names) expect(valuesOf(one, name), name).toEqual([])
  }

/** A header that callers can't choose: it is gone, or the proxy's own. */
const notTheirs =
  (name: string, theirs: RegExp) =>
  ({ seen }: Run) => {
    for (const one of seen) for (const value of valuesOf(one, name)) expect(value, name).not.toMatch(theirs)
  }

const closed = ({ answer }: Run) => expect(answer.closed, 'the connection is closed').toBe(true)

/** The one request that was seen has this body and nothing is hidden in it. */
const bodies =
  (...allowed: readonly string[]) =>
  ({ seen }: Run) => {
    for (const one of seen) expect(allowed).toContain(one.body)
  }

const HIDDEN = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n'

/** Cases whose upstream assertion says more than "not-reached", or whose prose does. */
const BY_ID: Readonly<Record<string, Expectation>> = {
  'PATH-host-upper': REACHED,
  'METH-override': { upstream: 'either', also: absent('x-http-method-override') },
  'METH-unknown': {
    upstream: 'not-reached',
    also: async ({ world }) => expect(await world.metrics()).not.toMatch(/FOO/i),
  },
  'METH-options-preflight': NEVER,
  'HDR-scheme-case': REACHED,
  'HDR-spoof-keyid': REACHED,
  'HDR-spoof-underscore': NEVER,
  'HDR-spoof-dot': NEVER,
  'HDR-spoof-tchar': NEVER,
  'HDR-spoof-case': REACHED,
  'HDR-spoof-env': REACHED,
  'HDR-connection-strip-key': { upstream: 'either', also: absent('authorization', 'x-api-key') },
  // that identity survives is asked of every request that is seen
  'HDR-connection-strip-identity': { upstream: 'either' },
  'HDR-connection-strip-xff': { upstream: 'reached', also: notTheirs('x-forwarded-for', /10\.0\.0\.1/) },
  'HDR-keepalive-hdr': {
    upstream: 'reached',
    also: absent('keep-alive', 'proxy-connection', 'te', 'proxy-authorization'),
  },
  'HDR-xfwd-host': { upstream: 'reached', also: notTheirs('x-forwarded-host', /internal/) },
  'HDR-xfwd-proto': { upstream: 'reached', also: notTheirs('x-forwarded-proto', /https/) },
  'HDR-xfwd-port': { upstream: 'reached', also: notTheirs('x-forwarded-port', /^443$/) },
  'HDR-forwarded-rfc7239': { upstream: 'reached', also: notTheirs('forwarded', /internal/) },
  'HDR-xreal-ip': {
    upstream: 'reached',
    also: ({ world }) => addressIsTheSocket(world, ['X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP']),
  },
  'HDR-xff-many': { upstream: 'reached', also: ({ world }) => addressIsTheSocket(world, ['X-Forwarded-For']) },
  'HDR-trailing-ws': REACHED,
  'HDR-strip-key-upstream': { upstream: 'reached', also: absent('authorization', 'x-api-key') },
  'SMUG-delete-chunked': { upstream: 'either', also: bodyStaysWhole },
  'SMUG-get-body': { upstream: 'either', also: bodies('', HIDDEN) },
  'SMUG-deny-with-body': { upstream: 'not-reached', also: closedOrDrained },
  'SMUG-trailer-key': {
    upstream: 'either',
    also: ({ seen }) => {
      for (const { trailers } of seen) expect(trailers).toBe('')
    },
  },
  'UPG-h2c-upgrade': {
    upstream: 'either',
    also: (run) => {
      absent('upgrade', 'http2-settings')(run)
      expect(run.world.upstream.tunnels()).toBe(0)
    },
  },
  'KEY-unknown-id': { upstream: 'not-reached', also: sameAsWrongSecret },
  'KEY-not-yet': { upstream: 'not-reached', also: goodOnceDeclared },
  'KEY-len-64k': { upstream: 'not-reached', also: lengthComesFirst },
}

const NO_SMUGGLING = /upstream log has no \/admin\/smuggled/

/** The expectation of a case: by its ID, else what its plain words say. */
export function expectationOf(one: RawCase): Expectation | undefined {
  const own = BY_ID[one.id]
  if (own !== undefined) return own
  if (one.expected.upstream !== 'not-reached') return undefined
  // that /admin/smuggled is never seen and that the canary gets its own answer is asked of every case
  return NO_SMUGGLING.test(one.expected.assert ?? '') ? { upstream: 'not-reached', also: closed } : NEVER
}

/** Where a case and the published decision table disagree, the table stands. */
export const STANDS_OTHERWISE: Readonly<
  Record<
    string,
    { readonly status: readonly number[]; readonly upstream: Expectation['upstream']; readonly why: string }
  >
> = {
  'PATH-host-trailing-dot': {
    status: [200],
    upstream: 'reached',
    why: 'one trailing dot is removed before the host is looked up, so this is api.test',
  },
}

/** The same request by keys that are limited to addresses, under claims of every such header. */
async function addressIsTheSocket(world: World, names: readonly string[]): Promise<void> {
  for (const name of names) {
    for (const [fixture, claim, status] of [
      ['KEY_FAR', '203.0.113.9', 403],
      ['KEY_NEAR', '203.0.113.9', 200],
    ] as const) {
      const bytes = `GET /api/x HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {{${fixture}}}\r\n${name}: ${claim}\r\nConnection: close\r\n\r\n`
      const answer = await world.send(fill(bytes, world.credentials))
      expect(answer.status, `${fixture} with ${name}: ${claim}`).toBe(status)
    }
  }
}

/** KEY_OK has no DELETE; by a key that has, the body has to arrive as it was sent. */
async function bodyStaysWhole({ world, one }: Run): Promise<void> {
  const before = world.upstream.seen.length
  const bytes = fill(one.input.replaceAll('KEY_OK', 'KEY_ADMIN'), world.credentials)
  expect((await world.send(bytes)).status).toBe(200)
  const seen = world.upstream.seen.slice(before)
  expect(seen.map(({ method, target, body }) => [method, target, body])).toEqual([['DELETE', '/api/orders/1', HIDDEN]])
}

/** Behind the denied body comes a good request on the same connection: it is answered as itself, or nothing is. */
async function closedOrDrained({ world, sent }: Run): Promise<void> {
  const good =
    'GET /api/after HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {{KEY_OK}}\r\nConnection: close\r\n\r\n'
  const answer = await world.send(sent + fill(good, world.credentials))
  const [denied, after, ...more] = answer.responses
  expect([denied?.status, more]).toEqual([403, []])
  if (after === undefined) expect(answer.closed).toBe(true)
  else expect([after.status, JSON.parse(after.body).target]).toEqual([200, '/api/after'])
}

async function sameAsWrongSecret({ world, one, answer }: Run): Promise<void> {
  const swapped = one.input.replace('AAAAAAAAAAAA', '{{KEYID_OK}}').replace('{{SECRET_OK}}', '{{SECRET_OTHER}}')
  const other = await world.send(fill(swapped, world.credentials))
  const plain = ({ raw }: Answer) => raw.replace(/^date:.*$/im, '').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '(request)')
  expect(plain(answer)).toBe(plain(other))
  expect(headerOf(answer.responses[0] ?? { head: '' }, 'content-type')).toBe('application/problem+json')
}

async function goodOnceDeclared({ world, sent }: Run): Promise<void> {
  world.declareFuture()
  await expect.poll(async () => (await world.send(sent)).status, { timeout: 20_000 }).toBe(200)
  world.withdrawFuture()
  await expect.poll(async () => (await world.send(sent)).status, { timeout: 20_000 }).toBe(401)
}

/** From outside 401 and 431 look the same whatever was hashed: the reading of the credential refuses before there is one. */
function lengthComesFirst(): void {
  const long = `kw_prod_${'A'.repeat(15_000)}`
  expect(long.length).toBeGreaterThan(MAX_CREDENTIAL_LENGTH)
  expect(presented({ authorization: [`Bearer ${long}`], apiKey: [], query: undefined }).kind).toBe('malformed')
}
