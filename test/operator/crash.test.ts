/** Stopped before and after every call of every plan, and started again: the promises of the hand-over hold. */
import { expect, test } from 'vitest'
import { type FakeHome, fakeHome } from '../support/fake-key-port.ts'
import { killedEverywhere, killedTwiceEverywhere } from '../support/killed-everywhere.ts'
import { SCENARIOS, type Scenario, settle } from './crash-scenarios.ts'
import { aClaim, anApiKey, HOUR } from './make.ts'

const named = (scenarios: readonly Scenario[]) => scenarios.map((scenario) => [scenario.name, scenario] as const)

test.each(named(SCENARIOS))('a crash anywhere in %s loses nothing and doubles nothing', async (_name, scenario) => {
  expect(await killedEverywhere(scenario, fakeHome)).toBeGreaterThanOrEqual(4)
})

test('a second crash while the first is made good changes nothing about it', async () => {
  const [first] = SCENARIOS
  if (first !== undefined) expect(await killedTwiceEverywhere(first, fakeHome)).toBeGreaterThan(100)
})

const withClaims = (name: string, over: { regenerate: number; overlapMs: number }, expected: unknown) => {
  let home: FakeHome
  const fresh = () => {
    home = fakeHome()
    return home
  }
  const scenario: Scenario = {
    name,
    before: async (run) => {
      home.receive('nothing')
      home.declare(anApiKey(), 'uid-1')
      home.claim(aClaim('first', { version: 1 }))
      await settle(run)
    },
    change: () => {
      home.declare(anApiKey(over), 'uid-1')
      for (const claim of ['second', 'third']) home.claim(aClaim(claim))
    },
    after: () => {
      const denied = home.denials().map(({ claim, reason }) => `${claim} ${reason}`)
      expect({ delivered: home.delivered(), denied }).toEqual(expected)
    },
  }
  return [name, scenario, fresh] as const
}

test.each([
  withClaims(
    'a regeneration with overlap that two people claim',
    { regenerate: 1, overlapMs: HOUR },
    {
      delivered: [
        { to: 'first', version: 1 },
        { to: 'second', version: 2 },
      ],
      denied: ['third AlreadyClaimed'],
    },
  ),
  withClaims(
    'a regeneration without overlap that two people claim',
    { regenerate: 1, overlapMs: 0 },
    {
      delivered: [
        { to: 'first', version: 1 },
        { to: 'second', version: 2 },
      ],
      denied: ['third AlreadyClaimed'],
    },
  ),
  withClaims(
    'two claims of a version that is taken',
    { regenerate: 0, overlapMs: 0 },
    {
      delivered: [{ to: 'first', version: 1 }],
      denied: ['second AlreadyClaimed', 'third AlreadyClaimed'],
    },
  ),
])('a crash anywhere in %s: one version goes to one claim, once', async (_name, scenario, fresh) => {
  expect(await killedEverywhere(scenario, fresh)).toBeGreaterThanOrEqual(4)
  expect(await killedTwiceEverywhere(scenario, fresh)).toBeGreaterThanOrEqual(16)
})
