/** Work on names: what is late, what fails, and what takes long. */
import { expect, test } from 'vitest'
import { makeRechecks, type RechecksParts } from '../../src/operator/rechecks.ts'
import { fakeTime } from '../support/fake-time.ts'

function running(act: RechecksParts['act']) {
  const time = fakeTime()
  const troubles: unknown[] = []
  const begun: string[] = []
  const stop = new AbortController()
  const rechecks = makeRechecks({
    act: (name) => {
      begun.push(name)
      return act(name)
    },
    isLong: (name) => name.startsWith('long'),
    pause: (ms) => new Promise((resolve) => time.after(ms, resolve)),
    onTrouble: (error) => troubles.push(error),
  })
  return { time, troubles, begun, stop, add: (...names: string[]) => rechecks.add(names, stop.signal) }
}

const names = (what: string, count: number) => Array.from({ length: count }, (_, i) => `${what}-${i}`)
const never = () => new Promise<void>(() => {})

test('what takes long is worked on by eight at most, and leaves the others their turns', async () => {
  const { add, begun, time } = running((name) => (name.startsWith('long') ? never() : Promise.resolve()))
  add(...names('long', 100), ...names('short', 100))
  await time.pass(1)
  expect(begun.filter((name) => name.startsWith('long'))).toEqual(names('long', 8))
  expect(begun.filter((name) => name.startsWith('short'))).toEqual(names('short', 100))
})

test('what is added before its turn is done once, and what is added in its turn once more', async () => {
  const turns: (() => void)[] = []
  const { add, begun, time } = running(() => new Promise((resolve) => turns.push(resolve)))
  add(...names('long', 9))
  add('long-8', 'long-0')
  turns[0]?.()
  await time.pass(1)
  turns[1]?.()
  await time.pass(1)
  expect(begun.slice(8)).toEqual(['long-8', 'long-0'])
})

test('what fails is told once and tried again a second later', async () => {
  let works = false
  const { add, begun, troubles, time } = running(async (name) => {
    if (!works) throw new Error(name)
  })
  add('a', 'b')
  await time.pass(900)
  expect([begun, troubles]).toEqual([['a', 'b'], [new Error('a')]])
  works = true
  await time.pass(200)
  expect([begun, troubles.length]).toEqual([['a', 'b', 'a', 'b'], 1])
  await time.pass(5000)
  expect(begun).toHaveLength(4)
})

test('once it is to stop nothing is begun any more', async () => {
  const { add, begun, stop, time } = running(async () => {
    await Promise.resolve()
  })
  add(...names('short', 100))
  stop.abort()
  await time.pass(1)
  expect(begun).toEqual(names('short', 64))
})
