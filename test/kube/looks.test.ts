/** Looks that somebody waits for leave the others their connections, and end when nobody waits any more. Fakes answer when told. */
import { expect, test } from 'vitest'
import type { KubeRequest } from '../../src/kube/client.ts'
import { makeLooks } from '../../src/kube/looks.ts'
import { API_KEYS } from '../../src/kube/objects.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'

function setUp(most: number) {
  const asked: KubeRequest[] = []
  const answers: (() => void)[] = []
  const client = {
    ...fakeApiServer(() => 0).client,
    send: (request: KubeRequest) => {
      asked.push(request)
      const object = { metadata: { name: request.path.split('/').at(-1), uid: 'u', resourceVersion: '1' } }
      return new Promise((resolve) => answers.push(() => resolve(object)))
    },
  }
  const look = makeLooks({ client, most })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    asked,
    look: (name: string, gone?: AbortSignal) => look(API_KEYS, { namespace: 'team-web', name }, gone),
    names: () => asked.map(({ path }) => path.split('/').at(-1)),
    answer: async () => {
      answers.shift()?.()
      await settle()
    },
    settle,
  }
}

test('so many at once, and the others in the order in which they came', async () => {
  const { look, names, answer, settle } = setUp(2)
  const all = ['a', 'b', 'c', 'd'].map((name) => look(name))
  await settle()
  expect(names()).toEqual(['a', 'b'])
  await answer()
  expect(names()).toEqual(['a', 'b', 'c'])
  await answer()
  await answer()
  await answer()
  expect((await Promise.all(all)).map((object) => object?.metadata.name)).toEqual(['a', 'b', 'c', 'd'])
  void look('e')
  await settle()
  expect(names(), 'and there is a turn again').toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('within the time that a webhook has, and no longer than somebody waits', async () => {
  const { look, asked, names, answer, settle } = setUp(1)
  const gone = new AbortController()
  const first = look('a', gone.signal)
  const second = expect(look('b', gone.signal)).rejects.toThrow('kube_aborted')
  const third = look('c')
  await settle()
  expect(asked[0]).toMatchObject({ timeoutMs: 2000, signal: gone.signal })
  gone.abort()
  await answer()
  await first
  await second
  await settle()
  expect(names()).toEqual(['a', 'c'])
  await answer()
  expect((await third)?.metadata.name).toBe('c')
})
