/** What becomes of a refusal, whatever comes with it. */
import { type Dispatcher, MockAgent } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { ApiError } from '../../src/kube/api-error.ts'
import { exchange } from '../../src/kube/exchange.ts'
import { limitTime } from '../../src/kube/time-limit.ts'
import { steadyMs } from '../../src/runtime/system.ts'

async function refusalOf(status: number, body: string) {
  const agent = new MockAgent()
  agent.disableNetConnect()
  agent.get('http://server.test').intercept({ path: '/apis', method: 'POST' }).reply(status, body)
  const limit = limitTime({ ms: 5000, steadyMs, caller: undefined })
  onTestFinished(async () => {
    limit.clear()
    await agent.close()
  })
  const dispatcher: Dispatcher = agent
  const connection = { dispatcher, origin: 'http://server.test', prefix: '', headers: {} }
  const connections = { take: async () => connection, distrust: () => undefined, close: async () => undefined }
  const told: unknown[] = []
  const request = { method: 'POST', path: '/apis', body: {}, refused: (said: unknown) => void told.push(said) } as const
  const error = await exchange({ connections, request, limit }).catch((cause: unknown) => cause)
  if (!(error instanceof ApiError)) throw error
  return { code: error.code, fate: error.fate, status: error.status, reason: error.reason, told }
}

test('a refusal is known by its status and the Status object that comes with it', async () => {
  const said = { kind: 'Status', reason: 'Invalid' }
  expect(await refusalOf(422, JSON.stringify(said))).toEqual({
    code: 'kube_invalid',
    fate: 'wait',
    status: 422,
    reason: 'Invalid',
    told: [said],
  })
})

test('a refusal that quotes half a mebibyte is still one by its status, and is not taken for an answer that is too large', async () => {
  const long = JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'x'.repeat(512 * 1024) })
  expect(await refusalOf(422, long)).toEqual({
    code: 'kube_invalid',
    fate: 'wait',
    status: 422,
    reason: '',
    told: [undefined],
  })
})
