/** Whether what came of a request is what the table demands of it. */
import { expect } from 'vitest'
import type { Arrived } from '../../support/echo-upstream.ts'
import type { FrontName, Got, Sent } from '../fronts/front.ts'
import type { Allowed, Case, Denied, Outcome } from './case.ts'
import { type Quirk, quirksOf } from './differences.ts'
import { IDENTITIES } from './identities.ts'
import { challenge, PROBLEMS, problem } from './problems.ts'
import type { Source } from './source.ts'
import { ANSWER } from './upstream.ts'

export type Ran = {
  readonly one: Case
  readonly front: FrontName
  readonly source: Source
  readonly sent: Sent
  readonly got: Got
}

const IDENTITY_NAMES = [
  'x-keyward-key-id',
  'x-keyward-key-name',
  'x-keyward-environment',
  'x-keyward-namespace',
  'x-keyward-namespace-type',
  'x-keyward-organization',
  'x-keyward-application',
  'x-keyward-workspace',
  'x-keyward-user-group',
  'x-keyward-permissions',
  'x-keyward-customers',
  'x-keyward-visible',
  'x-keyward-principal',
  'x-keyward-subject',
  'x-keyward-request-id',
]

const values = (flat: readonly string[], name: string): readonly string[] =>
  flat.filter((_value, i) => i % 2 === 1 && flat[i - 1]?.toLowerCase() === name)

const names = (flat: readonly string[]): readonly string[] =>
  flat.filter((_name, i) => i % 2 === 0).map((name) => name.toLowerCase())

/** About the connection, the message's framing, or the server itself. */
const NOT_COMPARED = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date', 'server']
/** What a proxy may say of itself and of the way. */
const OF_A_PROXY =
  /^(?:host|via|user-agent|accept-encoding|content-length|transfer-encoding|connection|x-real-ip|x-request-id|x-(?:forwarded|envoy)-.*)$/

export function judge(ran: Ran, outcome: Outcome): void {
  const { got, sent } = ran
  expect(
    names(got.headers).filter((name) => name.startsWith('x-keyward-')),
    'of Keyward to the caller',
  ).toEqual([])
  if (outcome.kind === 'allowed') judgeAllowed(ran, outcome)
  else {
    expect(
      got.seen.map(({ method, target }) => `${method} ${target}`),
      'what the upstream saw',
    ).toEqual([])
    if (outcome.kind === 'denied') judgeDenied(ran, outcome)
    else expect(outcome.status, `${sent.method} ${sent.target}`).toContain(got.status)
  }
}

function judgeDenied({ got, sent, front, one }: Ran, { code, permission, caller = {} }: Denied): void {
  const { status } = PROBLEMS[code]
  const headers = (name: string) => values(got.headers, name)
  expect({ status: got.status, body: sent.method === 'HEAD' ? '' : codeOf(got.body) }).toEqual({
    status,
    body: sent.method === 'HEAD' ? '' : code,
  })
  const noType = sent.method === 'HEAD' && status !== 503 && quirksOf(front).has('a refused HEAD has no content type')
  expect(headers('content-type')).toEqual(noType ? [] : ['application/problem+json'])
  const [requestId = 'none', ...more] = headers('x-request-id')
  expect(more).toEqual([])
  judgeRequestId(requestId, one, quirksOf(front))
  if (sent.method === 'HEAD') expect(got.body).toBe('')
  else expect(JSON.parse(got.body)).toEqual({ ...problem(code, permission), requestId })
  const expected = { 'www-authenticate': challenge(code), ratelimit: undefined, 'retry-after': undefined, ...caller }
  judgeHeaders(got.headers, expected)
  judgeNames(got.headers, ['content-type', 'x-request-id', ...Object.keys(expected), 'ratelimit-policy'])
}

/** No header that nobody speaks of. */
function judgeNames(flat: readonly string[], known: readonly string[]): void {
  expect(names(flat).filter((name) => !known.includes(name) && !NOT_COMPARED.includes(name))).toEqual([])
}

/** For a failure that can be read: the code, or the whole body where it has none. */
function codeOf(body: string): unknown {
  try {
    return JSON.parse(body).code ?? body
  } catch {
    return body
  }
}

function judgeAllowed(ran: Ran, outcome: Allowed): void {
  const { got, sent } = ran
  expect({ status: got.status, body: got.status === 200 ? '' : got.body }).toEqual({ status: 200, body: '' })
  const [seen, ...more] = got.seen
  if (seen === undefined) throw new Error('the upstream saw nothing')
  expect(more).toEqual([])
  expect([seen.method, seen.target]).toEqual([sent.method, outcome.target ?? sent.target])
  expect(seen.body().toString('latin1')).toBe(sent.body)
  judgeIdentity(ran, outcome, seen)
  judgeHeaders(seen.headers, { authorization: undefined, 'x-api-key': undefined, ...outcome.upstream })
  const silent = quirksOf(ran.front).has('callers learn nothing of the check that let them in')
  expect(values(got.headers, 'x-request-id')).toEqual(silent ? [] : values(seen.headers, 'x-keyward-request-id'))
  expect(values(got.headers, 'x-upstream')).toEqual(['seen'])
  expect(got.body).toBe(sent.method === 'HEAD' ? '' : (outcome.body ?? ANSWER))
  const expected = { ratelimit: undefined, 'ratelimit-policy': undefined, ...(silent ? {} : outcome.caller) }
  judgeHeaders(got.headers, expected)
  judgeNames(got.headers, ['content-type', 'x-request-id', 'x-upstream', ...Object.keys(expected)])
  const known = [...names(sent.headers), ...IDENTITY_NAMES]
  expect(names(seen.headers).filter((name) => !known.includes(name) && !OF_A_PROXY.test(name))).toEqual([])
}

function judgeIdentity({ front, one, source, sent }: Ran, { as, visible = '' }: Allowed, { headers }: Arrived): void {
  const quirks = quirksOf(front)
  const key = IDENTITIES[as]
  if (key === undefined) throw new Error(`no identity of ${as} is written down`)
  const credential = as === 'anonymous' ? '' : source.credential(as, front)
  const expected: Readonly<Record<string, string>> = {
    ...key,
    'x-keyward-key-id': credential.slice(0, Math.max(0, credential.lastIndexOf('_'))),
    'x-keyward-key-name': key['x-keyward-key-name']?.replace('{{front}}', front) ?? '',
    'x-keyward-visible': visible,
  }
  const folded = names(headers).filter((name) => name.replace(/[^a-z0-9]/g, '-').startsWith('x-keyward-'))
  expect(
    folded.filter((name) => !IDENTITY_NAMES.includes(name)),
    'made-up names',
  ).toEqual([])
  for (const [name, value] of Object.entries(expected)) {
    const absent = value === '' && quirks.has('empty headers are absent')
    expect({ [name]: values(headers, name) }).toEqual({ [name]: absent ? [] : [value] })
  }
  const [requestId = 'none', ...more] = values(headers, 'x-keyward-request-id')
  expect(more).toEqual([])
  judgeRequestId(requestId, one, quirks)
  expect(
    values(sent.headers, 'x-request-id').length,
    'a case sends one at most, or says what comes of it',
  ).toBeLessThan(3)
}

/** A caller's own where it is usable, else one that is made up. */
function judgeRequestId(requestId: string, { headers = [] }: Case, quirks: ReadonlySet<Quirk>): void {
  const [own, ...others] = values(headers, 'x-request-id')
  const taken = own !== undefined && others.length === 0 && /^[A-Za-z0-9._-]{1,128}$/.test(own)
  if (taken && !quirks.has('request IDs are drawn by the proxy')) expect(requestId).toBe(own)
  else {
    expect(requestId).toMatch(/^[A-Za-z0-9._-]{8,128}$/)
    expect(requestId).not.toBe(own)
  }
}

function judgeHeaders(flat: readonly string[], expected: Readonly<Record<string, string | RegExp | undefined>>): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = values(flat, name)
    if (value === undefined) expect({ [name]: found }).toEqual({ [name]: [] })
    else {
      expect({ [name]: found.length }).toEqual({ [name]: 1 })
      if (typeof value === 'string') expect({ [name]: found[0] }).toEqual({ [name]: value })
      else expect(found[0], name).toMatch(value)
    }
  }
}
