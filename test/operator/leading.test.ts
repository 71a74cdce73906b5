/** What a leader works through, and how it ends. */
import { describe, expect, test } from 'vitest'
import { startLeading } from '../../src/operator/leading.ts'
import { fakeHome } from '../support/fake-key-port.ts'
import { until } from '../support/until.ts'
import { anApiKey, NOON } from './make.ts'

function aLeading(home = fakeHome()) {
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
