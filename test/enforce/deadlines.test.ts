import { expect, test } from 'vitest'
import { deadlines } from '../../src/enforce/deadlines.ts'
import { fakeTime } from '../support/fake-time.ts'

const setUp = () => {
  const time = fakeTime()
  const waits = deadlines(25, time)
  const ended: string[] = []
  const wait = (name: string, promise: Promise<string>) =>
    waits.wait(promise, {
      done: (value) => ended.push(`${name} ${value} at ${time.nowMs()}`),
      failed: () => ended.push(`${name} failed at ${time.nowMs()}`),
      late: () => ended.push(`${name} late at ${time.nowMs()}`),
    })
  return { time, waits, ended, wait }
}

const never = () => new Promise<string>(() => {})

test('each ends once: in time, by its failure, or late, in the order in which they came', async () => {
  const { time, waits, ended, wait } = setUp()
  const slow = Promise.withResolvers<string>()
  wait('a', never())
  await time.pass(10)
  wait('b', Promise.resolve('yes'))
  wait('c', Promise.reject(new Error('no')))
  wait('d', slow.promise)
  await time.pass(15)
  await time.pass(10)
  slow.resolve('too late')
  await time.pass(100)
  expect(ended).toEqual(['b yes at 10', 'c failed at 10', 'a late at 25', 'd late at 35'])
  expect([waits.waiting(), time.timers()]).toEqual([0, 0])
})

test('a thousand that are answered in time take a handful of timers', async () => {
  const { time, waits, ended, wait } = setUp()
  for (let i = 0; i < 1000; i++) {
    wait(`${i}`, Promise.resolve('yes'))
    await time.pass(0.1)
  }
  await time.pass(50)
  expect([ended.length, waits.waiting(), time.timers()]).toEqual([1000, 0, 0])
  expect(time.timersSet()).toBeLessThanOrEqual(6)
})

test('what was read before a timer that fired late had its turn is an answer in time', async () => {
  const time = fakeTime()
  const read: (() => void)[] = []
  const waits = deadlines(25, { ...time, onceRead: (act) => read.push(act) })
  const answer = Promise.withResolvers<string>()
  const ended: string[] = []
  waits.wait(answer.promise, {
    done: () => ended.push('done'),
    failed: () => ended.push('failed'),
    late: () => ended.push('late'),
  })
  await time.pass(400)
  answer.resolve('was in the socket all the time')
  await time.pass(0)
  for (const act of read) act()
  expect(ended).toEqual(['done'])
})

test('giving up ends all that wait, and nothing that comes later', async () => {
  const { time, waits, ended, wait } = setUp()
  wait('a', never())
  wait('b', never())
  waits.giveUp()
  wait('c', never())
  expect(ended).toEqual(['a late at 0', 'b late at 0'])
  await time.pass(60)
  expect(ended).toEqual(['a late at 0', 'b late at 0', 'c late at 25'])
})
