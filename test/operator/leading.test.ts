/** What a leader works through, and how it ends. */
import { describe, expect, test } from 'vitest'
import { startLeading } from '../../src/operator/leading.ts'
import { fakeClusterHome } from '../support/fake-cluster-home.ts'
import { fakeHome } from '../support/fake-key-port.ts'
import { trustedPeople } from '../support/fake-people.ts'
import { until } from '../support/until.ts'
import { anApiKey, NOON } from './make.ts'

function aLeading(home: Pick<ReturnType<typeof fakeHome>, 'port'> = fakeHome()) {
  const outcomes: string[] = []
  let drawn = 0
  const leading = startLeading({
    port: home.port(),
    all: () => [{ namespace: 'default', name: 'main' }],
    strays: () => [],
    sweepClaims: async () => undefined,
    askedToWaitMs: () => undefined,
    nowMs: () => NOON,
    steadyMs: () => 0,
    random: (count) => {
      drawn += 1
      return new Uint8Array(count).map((_, i) => (drawn * 31 + i * 7) % 248)
    },
    jitter: () => 0,
    onReconciled: (outcome) => outcomes.push(outcome),
    onTrouble: (_ref, error) => {
      throw error
    },
    onClaimsTrouble: (error) => {
      throw error
    },
  })
  return { leading, outcomes }
}

describe('a leader', () => {
  test('looks at everything when it begins, and again at what it is woken for', async () => {
    const home = fakeHome()
    home.declare(anApiKey(), 'uid-1')
    const { leading, outcomes } = aLeading(home)
    await until('nothing is left to do', () => leading.depth() === 0)
    expect([outcomes, home.lines().length]).toEqual([['settled'], 1])
    home.declare(anApiKey({}, 'other'), 'uid-2')
    leading.wake({ namespace: 'default', name: 'other' })
    await until('nothing is left to do', () => leading.depth() === 0)
    expect([outcomes, home.lines().length]).toEqual([['settled', 'settled'], 2])
    await leading.stop()
  })

  test('writes what is granted of all before it says so of most', async () => {
    let held = ['a:read', 'b:read']
    const people = { ...trustedPeople, capOf: async () => ({ cap: { held, within: {} }, lost: [] }) }
    const home = await fakeClusterHome('nothing', undefined, people)
    const names = Array.from({ length: 100 }, (_, i) => `key-${i}`)
    for (const name of names) await home.declare(anApiKey({ permissions: held }, name), `uid of ${name}`)
    const { leading, outcomes } = aLeading(home)
    const wakeAll = async () => {
      for (const name of names) leading.wake({ namespace: 'default', name })
      await until('all is written', () => {
        const keys = home.server.all().filter(({ kind }) => kind === 'ApiKey')
        const told = keys.map(({ status }) => (status as { permissions?: readonly string[] } | undefined)?.permissions)
        return told.every((one) => String(one) === String(held)) && leading.depth() === 0
      })
    }
    await wakeAll()
    const before = home.server.writes().length
    const settled = outcomes.length
    held = ['a:read']
    await wakeAll()
    expect(outcomes.slice(settled), 'a key that goes behind others is settled once').toEqual(names.map(() => 'settled'))
    const writes = home.server.writes().slice(before)
    const lastGrant = writes.findLastIndex((one) => one.includes('/secrets/'))
    // where no more wait than are worked on at once, both are written at once
    expect([writes.length, writes.slice(0, lastGrant).filter((one) => one.includes('/status')).length < 40]).toEqual([
      200,
      true,
    ])
    await leading.stop()
  })

  test('that has stopped begins nothing any more', async () => {
    const home = fakeHome()
    const { leading, outcomes } = aLeading(home)
    await leading.stop()
    home.declare(anApiKey(), 'uid-1')
    leading.wake({ namespace: 'default', name: 'main' })
    await leading.stop()
    expect([outcomes.length <= 1, home.lines()]).toEqual([true, []])
  })
})
