/** What `keyward operator` can be told. */
import { expect, test } from 'vitest'
import { OperatorConfig } from '../../src/operator/run.ts'
import { loadConfig } from '../../src/runtime/config.ts'

const load = (flags: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string>> = {}) =>
  loadConfig(OperatorConfig, { flags, env, file: undefined })

test('without a word it listens on this machine only and leaves others the Lease after 15 s', () => {
  const loaded = load({})
  expect(loaded).toMatchObject({
    ok: true,
    config: { leaseDuration: 15_000, listen: '127.0.0.1', portOffset: 0, logLevel: 'info' },
  })
})

test.each([
  ['2s', 2000],
  ['1m', 60_000],
])('a Lease of %s is %i ms', (leaseDuration, ms) => {
  expect(load({}, { KEYWARD_LEASE_DURATION: leaseDuration })).toMatchObject({ ok: true, config: { leaseDuration: ms } })
})

test.each(['1s', '6m', '15', '1.5s', '15000ms'])('a Lease of %s is refused', (leaseDuration) => {
  expect(load({ leaseDuration })).toEqual({
    ok: false,
    problems: [
      '--lease-duration (KEYWARD_LEASE_DURATION): a whole number of seconds or minutes from 2s to 5m, such as 15s',
    ],
  })
})

test('an identity with what no Lease can hold is refused', () => {
  expect(load({ identity: 'a b' })).toMatchObject({ ok: false })
})
