import { expect, test } from 'vitest'
import type { Refusal, Verdict } from '../../src/core/decide.ts'
import { deny } from '../../src/core/denial.ts'
import type { Match } from '../../src/core/route.ts'
import { makeRecentChecks } from '../../src/runtime/recent-checks.ts'
import { aCredential, aKeyRecord, aRequest, NOON } from '../support/make.ts'

const record = aKeyRecord()
const refused: Refusal = { ...deny('missing_permission', 'not among them'), permission: 'a:b', record, caller: [] }
const unknown: Refusal = { ...deny('invalid_key', 'no key has this digest'), caller: [] }
const match: Match = { route: { index: 2, path: '/things/{id}' } as Match['route'], parameters: {} }
const allowed: Verdict = { kind: 'allow', record, match, upstream: [], narrowing: undefined, caller: [] }

const asked = (requestId: string, target = '/things') =>
  aRequest({ requestId, method: 'PUT', hosts: ['api.test'], target })

test('a refusal is found by its request ID, with why and with the key', () => {
  const recent = makeRecentChecks()
  recent.keep('http', asked('r-1'), refused, NOON)
  expect(recent.find('r-1')).toEqual([
    {
      ...{ requestId: 'r-1', at: '2026-11-22T12:00:00.000Z', listener: 'http' },
      ...{ method: 'PUT', host: 'api.test', path: '/things', isPart: false },
      ...{ code: 'missing_permission', status: 403, why: 'not among them', permission: 'a:b' },
      ...{ keyId: record.keyId, key: 'team-web/main-website', environment: 'production', route: undefined },
    },
  ])
  for (const other of ['r-', 'r-10', 'R-1', 'r-2', '']) expect([other, recent.find(other)]).toEqual([other, []])
})

test('what was let pass says by which route; a refusal without a key knows none', () => {
  const recent = makeRecentChecks()
  recent.keep('grpc', asked('r-1'), allowed, NOON)
  recent.keep('grpc', asked('r-2'), unknown, NOON)
  expect(recent.find('r-1')).toMatchObject([
    { code: 'allow', status: 200, route: 'spec.routes[2] /things/{id}', keyId: record.keyId },
  ])
  expect(recent.find('r-2')).toMatchObject([{ code: 'invalid_key', status: 401, keyId: undefined, route: undefined }])
})

test('a slot that is written again holds nothing of what was there before', () => {
  const recent = makeRecentChecks({ refusedKeys: 1, refusedWithoutKey: 1, allowed: 1 })
  recent.keep('http', asked('a-long-request-id', '/a/long/path/that/was/here'), refused, NOON)
  recent.keep('http', asked('r', '/'), { ...deny('key_expired', 'over'), record, caller: [] }, NOON)
  expect(recent.find('a-long-request-id')).toEqual([])
  expect(recent.find('r')).toMatchObject([{ path: '/', code: 'key_expired', permission: undefined }])
})

test('no flood of one kind pushes out another, and each keeps its newest', () => {
  const recent = makeRecentChecks({ refusedKeys: 3, refusedWithoutKey: 3, allowed: 3 })
  recent.keep('http', asked('refused'), refused, NOON)
  recent.keep('http', asked('allowed'), allowed, NOON)
  for (let i = 0; i < 10; i++) recent.keep('http', asked(`flood-${i}`), unknown, NOON)
  expect(recent.find('refused')).toHaveLength(1)
  expect(recent.find('allowed')).toHaveLength(1)
  const left = Array.from({ length: 10 }, (_, i) => recent.find(`flood-${i}`).length)
  expect(left).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
})

test('of those that have the same ID the newest ten are told, the newest first, whatever became of them', () => {
  const recent = makeRecentChecks()
  // a clock that steps back
  for (let i = 0; i < 12; i++) recent.keep('http', asked('same', `/${i}`), i % 2 === 0 ? refused : allowed, NOON - i)
  expect(recent.find('same').map(({ path }) => path)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((i) => `/${i}`))
})

const { text, keyId } = aCredential({ seed: 'recent' })
const secret = text.slice(-49)
const escaped = (of: string) => [...of].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')

test.each([
  ['a query', `/things?key=${text}`, '/things', false],
  ['a key as a segment', `/things/${text}`, `/things/${keyId}_[secret]`, true],
  ['the beginning of a key at the cut', `/${'x'.repeat(200)}/${text}`, `/${'x'.repeat(200)}/${keyId}_[secret]`, true],
  ['a key that is encoded in part', `/things/${text.replaceAll('_', '%5F')}`, '[hidden]', true],
  ['a key that is encoded', `/${escaped(text).slice(0, 250)}`, '[hidden]', true],
  ['a key that is encoded twice', `/${text.replaceAll('_', '%255f')}`, '[hidden]', true],
  ['what is encoded again and again', `/${'%25'.repeat(3)}25252525`, '[hidden]', true],
  ['a URL with a password', 'http://ana:pass@api.test/things', '[no path]', true],
  ['a secret alone', `/things/${secret}`, '[hidden]', true],
  ['a secret alone beside a key', `/things/${text}/${secret}`, '[hidden]', true],
  ['a key in base64', `/things/${Buffer.from(text).toString('base64url')}`, '[hidden]', true],
  ['what is longer than a secret', `/things/${'a'.repeat(64)}`, `/things/${'a'.repeat(64)}`, false],
  ['another encoding', '/caf%C3%A9/a%20b', '/caf%C3%A9/a%20b', false],
  ['a key ID', `/keys/${keyId}`, `/keys/${keyId}`, false],
])('of the path nothing secret is kept: %s', (_what, target, path, isPart) => {
  const recent = makeRecentChecks()
  recent.keep('http', asked('r-1', target), refused, NOON)
  const [told] = recent.find('r-1')
  expect(told).toMatchObject({ path, isPart })
  for (const piece of [secret, secret.slice(0, 20)]) expect(JSON.stringify(told)).not.toContain(piece)
})

test('no secret is kept of an ID, a method or a host either', () => {
  const recent = makeRecentChecks()
  recent.keep('http', asked(text), refused, NOON)
  expect(recent.find(text)).toEqual([])
  recent.keep('http', aRequest({ requestId: 'r-1', method: text, hosts: [`${text}.test`], target: '/' }), refused, NOON)
  const [told] = recent.find('r-1')
  expect(told).toMatchObject({ method: keyId.slice(0, 16), host: expect.stringContaining('[secret]'), isPart: true })
})

test.each([
  ['a long path', { target: `/${'x'.repeat(300)}` }, { path: `/${'x'.repeat(255)}`, isPart: true }],
  ['no host', { hosts: [] }, { host: '', isPart: true }],
  ['a host with a password', { hosts: ['ana:pass@api.test'] }, { host: '[no host]', isPart: true }],
  ['two hosts', { hosts: ['a.test', 'b.test'] }, { host: 'a.test', isPart: true }],
  ['characters beyond ASCII', { target: '/é/€' }, { path: '/é/€', isPart: false }],
  ['a path of the longest characters', { target: `/${'€'.repeat(100)}` }, { path: `/${'€'.repeat(85)}`, isPart: true }],
])('%s is kept as far as it goes, and said to be a part', (_what, wanted, expected) => {
  const recent = makeRecentChecks()
  recent.keep('http', aRequest({ requestId: 'i'.repeat(36), hosts: ['api.test'], ...wanted }), refused, NOON)
  expect(recent.find('i'.repeat(36))).toMatchObject([expected])
})

test('the longest of everything leaves the neighbours alone', () => {
  const recent = makeRecentChecks({ refusedKeys: 3, refusedWithoutKey: 1, allowed: 1 })
  const long = (id: string) =>
    aRequest({
      ...{
        requestId: id.repeat(128),
        method: 'M'.repeat(60),
        hosts: ['h'.repeat(500)],
        target: `/${'p'.repeat(9000)}`,
      },
    })
  for (const id of ['a', 'b', 'c', 'd']) recent.keep('http', long(id), refused, NOON)
  expect(recent.find('a'.repeat(128))).toEqual([])
  for (const id of ['b', 'c', 'd']) {
    expect(recent.find(id.repeat(128))).toMatchObject([
      { method: 'M'.repeat(16), host: 'h'.repeat(128), path: `/${'p'.repeat(111)}`, isPart: true },
    ])
  }
})
