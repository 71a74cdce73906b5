/** Pages of a list: in their order, the next one under way while one is read. */
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { Page } from '../../src/kube/calls.ts'
import { makePages } from '../../src/kube/pages.ts'

const NEXT: Readonly<Record<string, string>> = { '': 'second', second: 'third', third: '' }
const pageAt = (token: string): Page => ({ items: [], resourceVersion: `at ${token}`, token: NEXT[token] ?? '' })

function setUp(ask: (token: string) => Promise<Page> = async (token) => pageAt(token)) {
  const log: string[] = []
  const pages = makePages({
    ask: (token) => {
      log.push(`ask ${token}`)
      return ask(token)
    },
    pageSize: 500,
    onTrouble: () => log.push('trouble'),
    jitter: () => 0,
  })
  const run = (stop = new AbortController()) =>
    pages(({ resourceVersion }) => void log.push(`take ${resourceVersion}`), stop.signal)
  return { log, run }
}

describe('a list', () => {
  test('is taken in its order, and each page is asked for before the one before it is read', async () => {
    const { log, run } = setUp()
    await run()
    expect(log).toEqual(['ask ', 'ask second', 'take at ', 'ask third', 'take at second', 'take at third'])
  })

  test('asks again for the page that failed, and reads none twice', async () => {
    let failures = 0
    const { log, run } = setUp(async (token) => {
      if (token === 'second' && failures++ === 0) throw new Trouble('kube_unreachable', 'retry')
      return pageAt(token)
    })
    await run()
    expect(log.filter((line) => line.startsWith('take'))).toEqual(['take at ', 'take at second', 'take at third'])
    expect(log.filter((line) => line === 'ask second')).toHaveLength(2)
  })

  test('fails with what a page fails with, where asking again is of no use', async () => {
    const { log, run } = setUp(async (token) => {
      if (token === 'second') throw new Trouble('kube_forbidden', 'retry')
      return pageAt(token)
    })
    await expect(run()).rejects.toMatchObject({ code: 'kube_forbidden' })
    expect(log).toEqual(['ask ', 'ask second', 'take at '])
  })

  test('ends with a reader that throws, whatever becomes of the page that is under way', async () => {
    const pages = makePages({
      ask: async (token) => {
        if (token !== '') throw new Trouble('kube_unreachable', 'retry')
        return pageAt(token)
      },
      ...{ pageSize: 500, onTrouble: () => undefined, jitter: () => 0 },
    })
    const stop = new AbortController()
    const reading = pages(() => {
      throw new Error('it can not be read')
    }, stop.signal)
    await expect(reading).rejects.toThrow('it can not be read')
    stop.abort()
  })
})
