/** `keyward explain --request-id` against what really answered: a standalone and an authz beside it. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Authz, startAuthz } from '../support/authz.ts'
import { type Ran, runKeyward } from '../support/keyward.ts'
import { apiUrlOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'

let standalone: Standalone
let authz: Authz
beforeAll(async () => {
  // nothing listens there: what is let pass is answered by nobody
  const upstream = 'http://127.0.0.1:9'
  standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }, upstream })
  authz = await startAuthz({ home: standalone.home })
})

const explain = (requestId: string, ...more: readonly string[]): Promise<Ran> =>
  runKeyward(['explain', '--request-id', requestId, ...more], standalone.home)

const server = () => ['--server', apiUrlOf(standalone), '--token-file', join(standalone.data, 'token')]

test('from the ID in an answer to which rule answered and why, and to what is in force now', async () => {
  const { key, id } = await standalone.key('team/main')
  const refused = await ask(`${standalone.url}/things?page=2`, { method: 'POST', host: 'api.test', key })
  expect([refused.status, refused.json.code]).toEqual([403, 'missing_permission'])
  const requestId = String(refused.headers['x-request-id'])
  expect(refused.json.requestId).toBe(requestId)

  const told = await explain(requestId, ...server(), '--authz', standalone.adminUrl)
  expect([told.code, told.err]).toEqual([0, ''])
  expect(
    told.out
      .replace(/, \d+s ago \(.*?\)/, '')
      .split('\n')
      .slice(0, 9),
  ).toEqual([
    `403 missing_permission, by ${standalone.adminUrl} (proxy)`,
    '  request      POST api.test/things',
    `  key          ${id} of team/main (production)`,
    '  why          thing:write: not among the permissions of the key',
    '',
    'The same, asked now (query, headers and address of the caller are not kept; --header and --address give them):',
    '403 missing_permission',
    '  api          team/things (production)',
    '  route        spec.routes[2] POST /things',
  ])

  standalone.replace('k.yaml', '"thing:read"', '"thing:read", "thing:write"')
  const allowed = async () => {
    const again = await explain(requestId, ...server(), '--authz', standalone.adminUrl, '-o', 'json')
    return JSON.parse(again.out) as object
  }
  await expect.poll(allowed, { timeout: 10_000, interval: 200 }).toMatchObject({
    requestId,
    checks: [{ code: 'missing_permission', now: { answer: 'allow' } }],
  })
})

test('of several processes the one tells that answered; a folder says what is in force now', async () => {
  const { key, id } = await standalone.key('team/main')
  const question = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/none', 'x-forwarded-host': 'api.test' }
  const { status } = await ask(`${authz.checkUrl}/check/forwarded`, {
    key,
    headers: { ...question, 'x-request-id': 'at-authz' },
  })
  expect(status).toBe(403)
  const folder = ['--manifests', standalone.manifests, '--data', standalone.data]
  const told = await explain(
    'at-authz',
    '--authz',
    standalone.adminUrl,
    '--authz',
    authz.adminUrl,
    ...folder,
    '-o',
    'json',
  )
  expect(JSON.parse(told.out)).toMatchObject({
    checks: [
      { from: authz.adminUrl, listener: 'http', code: 'no_route', status: 403, keyId: id, now: { answer: 'no_route' } },
    ],
    unasked: [],
  })
})

test('the key itself is nowhere in what port 9090 tells, wherever a caller wrote it', async () => {
  const { key } = await standalone.key('team/main')
  const secret = key.slice(-49)
  const targets = [`/things?key=${key}`, `/things/${key}`, `/things/${key.replaceAll('_', '%5f')}`]
  for (const [at, target] of targets.entries()) {
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': target, 'x-forwarded-host': 'api.test' }
    await ask(`${authz.checkUrl}/check/forwarded`, { key, headers: { ...headers, 'x-request-id': `secret-${at}` } })
    const { status, text } = await ask(`${authz.adminUrl}/checks/secret-${at}`)
    expect([target.length, status, text]).toEqual([target.length, 200, expect.not.stringContaining(secret)])
  }
})

test('a standalone has no pods to be asked: its port 9090 is to be named; an ID that nobody knows is said to be none', async () => {
  const nowhere = await explain('r-1', ...server())
  expect([nowhere.code, nowhere.err]).toEqual([
    2,
    'keyward explain: --request-id: there are no pods to be asked, as with a standalone: say where port 9090 of what answers checks is, such as --authz http://127.0.0.1:9090\n',
  ])
  const unknown = await explain('r-1', '--authz', authz.adminUrl)
  expect([unknown.code, unknown.out]).toEqual([1, ''])
  expect(unknown.err).toContain(`no check of a request with the ID r-1 is known to ${authz.adminUrl}\n`)
})
