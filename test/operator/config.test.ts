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

test('webhooks are called by their Service, drained for 3 s, and groups count for ever', () => {
  const loaded = load({})
  expect(loaded).toMatchObject({ ok: true, config: { operatorNamespace: 'keyward-operator', drain: 3000 } })
  expect(loaded.ok && [loaded.config.webhookHosts, loaded.config.maxAttestationAge]).toEqual([undefined, undefined])
})

test('what they are called by besides, and for how long groups count, is read', () => {
  expect(
    load({ webhookHosts: '127.0.0.1, hooks.example.com,::1', maxAttestationAge: '30d', drain: '0s' }),
  ).toMatchObject({
    ok: true,
    config: { webhookHosts: ['127.0.0.1', 'hooks.example.com', '::1'], maxAttestationAge: 2_592_000_000, drain: 0 },
  })
})

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['a URL', { webhookHosts: 'https://127.0.0.1' }, 'DNS names and IP addresses, with a comma between two'],
  ['no name', { webhookHosts: 'a.example.com,' }, 'DNS names and IP addresses, with a comma between two'],
  ['longer than a stop may take', { drain: '7s' }, 'a whole number of seconds from 0s to 6s, such as 3s'],
  ['minutes', { maxAttestationAge: '90m' }, 'a whole number of hours or days, such as 12h or 30d'],
  ['no file', { webhookClientCa: '/nowhere/at/all' }, "/nowhere/at/all: can't be read (ENOENT)"],
  [
    'a file without authorities',
    { webhookClientCa: import.meta.filename },
    'does not hold certificates in PEM form only',
  ],
  ['no folder', { webhookCertificate: '/nowhere/at/all' }, 'a folder with tls.crt and tls.key is needed'],
])('%s is refused', (_what, flags, right) => {
  const loaded = load(flags)
  expect(loaded.ok ? [] : loaded.problems).toEqual([expect.stringContaining(right)])
})
