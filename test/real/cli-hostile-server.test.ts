/** The commands against a server that would like to speak to the terminal: whatever it says is shown, and nothing of it is obeyed. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLI_CASES } from '../corpus/cli-cases.ts'
import { runKeyward } from '../support/keyward.ts'
import { temporaryFolder } from '../support/process.ts'

/** A title for the window, a colour, a clear screen in eight bits, text that runs backwards, and a line of its own. */
const SPOILED = 'x\u001b]0;owned\u0007\u001b[31m\u009b2J\u202e\nforged'
/** All but tabs and ends of lines, which are our own. */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

const metadata = { name: SPOILED, namespace: SPOILED, uid: SPOILED, resourceVersion: '1', creationTimestamp: SPOILED }
const condition = { type: SPOILED, status: 'False', reason: SPOILED, message: SPOILED, lastTransitionTime: SPOILED }
const withheld = [{ permission: SPOILED, since: SPOILED, because: [SPOILED] }]
const person = { username: SPOILED }
const object = {
  metadata: { ...metadata, labels: { [SPOILED]: SPOILED } },
  spec: {
    ...{ displayName: SPOILED, accessNamespace: SPOILED, environment: SPOILED, permissions: [SPOILED], type: SPOILED },
    ...{ customers: [SPOILED], expiresAt: SPOILED, allowedCIDRs: [SPOILED], overlap: SPOILED, state: SPOILED },
    ...{ rateLimit: { requests: 1, per: SPOILED }, quota: { requests: 1, per: SPOILED }, rotation: { every: SPOILED } },
    delivery: { secretName: SPOILED },
  },
  status: {
    ...{ phase: SPOILED, keyId: SPOILED, createdBy: person, permissions: [], limitsSummary: SPOILED, withheld },
    ...{ conditions: [condition], observedGeneration: 1, lastUsedAt: SPOILED },
    credential: { version: 1, claimedAt: SPOILED, claimedBy: person, previousValidUntil: SPOILED },
  },
  ...{ type: SPOILED, reason: SPOILED, message: SPOILED, lastTimestamp: SPOILED },
}

const server = createServer((request, response) => {
  const isOne = /\/(apikeys|accessnamespaces)\/[^/?]+$/.test(request.url ?? '')
  const status = request.method === 'GET' ? 200 : 403
  const refusal = { kind: 'Status', status: 'Failure', reason: SPOILED, message: SPOILED, code: 403 }
  const list = { metadata: { resourceVersion: '1' }, items: [object] }
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(status === 403 ? refusal : isOne ? object : list))
})
let url = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

const NEW = ['--access-namespace', 'a', '--environment', 'production', '--permissions', 'a:b']

test.each(CLI_CASES)('%s: names, words and refusals of a server are escaped in every form', async () => {
  const home = temporaryFolder()
  const forms = ['table', 'wide', 'json', 'yaml', 'name']
  const commands = [
    ...forms.flatMap((form) => [
      ['list', '-A', '-o', form],
      ['get', 'main', '-o', form],
    ]),
    ['get', 'main'],
    ['create', 'main', ...NEW],
    ['claim', 'main'],
    ['suspend', 'main', 'other'],
    ['regenerate', 'main', '--yes'],
    ['explain', '--key', 'main', '--host', 'api.test', '--path', '/'],
    ['__complete', 'get', '--server', url, ''],
    ['get', `no${SPOILED}`],
    [`no${SPOILED}`],
    ['list', '-o', SPOILED],
  ]
  for (let at = 0; at < commands.length; at += 4) {
    await Promise.all(
      commands.slice(at, at + 4).map(async ([command = '', ...words]) => {
        const where = command === '__complete' ? [] : ['--server', url]
        const { out, err } = await runKeyward([command, ...where, ...words], home)
        expect(out + err).not.toBe('')
        expect([command, ...words, OBEYED.exec(out + err)]).toEqual([command, ...words, null])
        expect(out).not.toMatch(/^forged/m)
      }),
    )
  }
})
