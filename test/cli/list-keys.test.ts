/** `keyward list`: the columns of the API keys page, what counts at once, and names that a terminal must not obey. */
import { describe, expect, test } from 'vitest'
import { listKeys } from '../../src/cli/list-keys.ts'
import { Refused } from '../../src/cli/refused.ts'
import { aStoredKey, fakeCluster, fakeTerminal } from '../support/fake-cli-cluster.ts'

const status = (more: object = {}) => ({
  phase: 'Active',
  keyId: 'kw_prod_4fQ0Zp8sLm2T',
  permissions: ['customer:read'],
  limitsSummary: '600/1m',
  conditions: [],
  observedGeneration: 1,
  ...more,
})

async function listed(keys: readonly Parameters<typeof aStoredKey>[], options: object = {}, terminal = fakeTerminal()) {
  const cluster = fakeCluster()
  for (const [name, more] of keys) cluster.objects.set(`apikeys/team-web/${name}`, aStoredKey(name, more))
  const wanted = { namespace: 'team-web', selector: undefined, output: 'table', headers: true, ...options } as const
  expect(await listKeys(cluster, wanted, terminal)).toBe(0)
  return terminal.said
}

test('a row per key, in the order of names: what is not known yet is empty', async () => {
  const { out } = await listed([
    [
      'storefront',
      { spec: { expiresAt: '2027-03-01T00:00:00Z' }, status: status({ lastUsedAt: '2026-11-22T11:55:00Z' }) },
    ],
    ['fresh', {}],
  ])
  expect(out).toBe(
    [
      'NAME         ID                     ENVIRONMENT   ACCESS NAMESPACE   PERMISSIONS     LIMITS   STATUS    LAST USED   EXPIRES',
      'fresh                               production    acme-web-eu        customer:read            Pending               never',
      'storefront   kw_prod_4fQ0Zp8sLm2T   production    acme-web-eu        customer:read   600/1m   Active    5m ago      in 98d',
      '',
    ].join('\n'),
  )
})

describe('what takes away is shown at once, whatever the operator has said by now', () => {
  test.each([
    ['suspended', { state: 'Suspended' }, 'Inactive (suspended)'],
    ['revoked', { state: 'Revoked' }, 'Inactive (revoked)'],
    ['expired', { expiresAt: '2026-11-22T11:00:00Z' }, 'Expired'],
  ])('%s', async (_what, spec, shown) => {
    expect((await listed([['main', { spec, status: status() }]])).out).toContain(` ${shown} `)
  })

  test('a permission that is not in force any more is counted', async () => {
    const spec = { permissions: ['customer:read', 'license:manage', 'telemetry:write'] }
    expect((await listed([['main', { spec, status: status() }]])).out).toContain(' customer:read (1 of 3) ')
  })

  test('a status that names more than the spec asks for is not believed', async () => {
    const more = status({ permissions: ['customer:read', 'license:manage'] })
    expect((await listed([['main', { status: more }]])).out).not.toContain('license:manage')
  })
})

test('many permissions are cut to three, and counted', async () => {
  const permissions = ['a:a', 'b:b', 'c:c', 'd:d', 'e:e']
  expect((await listed([['main', { spec: { permissions }, status: status({ permissions }) }]])).out).toContain(
    ' a:a, b:b, c:c, +2 ',
  )
})

describe('a name from the server that a terminal would obey', () => {
  const spec = { displayName: 'red\u001b[31m\u009b2J\u202e', accessNamespace: 'a\rb' }

  test.each(['table', 'wide', 'json', 'yaml'])('is escaped in form %s', async (output) => {
    const { out } = await listed([['main', { spec }]], { output })
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(out).toMatch(/a\\(u000d|r)b/)
  })

  test('and JSON still means the same', async () => {
    const { out } = await listed([['main', { spec }]], { output: 'json' })
    expect(JSON.parse(out)).toMatchObject({ items: [{ kind: 'ApiKey', spec }] })
  })
})

test('colours are for a terminal that takes them', async () => {
  const keys: Parameters<typeof aStoredKey>[] = [['main', { status: status() }]]
  expect((await listed(keys, {}, fakeTerminal({ colours: true }))).out).toContain('\u001b[32mActive\u001b[0m')
  expect((await listed(keys)).out).not.toContain('\u001b')
})

test('wide shows who made it and who has it; all namespaces are named', async () => {
  const credential = { version: 3, claimedBy: { username: 'ben@example.com' } }
  const { out } = await listed(
    [['main', { status: status({ createdBy: { username: 'ana@example.com' }, credential }) }]],
    { output: 'wide', namespace: undefined },
  )
  const [head = '', row = ''] = out.split('\n')
  expect(head).toMatch(/^NAMESPACE +NAME .*VERSION +CREATED BY +CLAIMED BY +CUSTOMERS +FROM +AGE +DISPLAY NAME$/)
  expect(row).toMatch(/^team-web +main .* 3 +ana@example.com +ben@example.com +2d$/)
})

test('no keys: that is said beside the results, and it is no error', async () => {
  expect(await listed([])).toEqual({ out: '', err: 'there are no keys in the Kubernetes namespace team-web\n' })
})

test('names alone, as kubectl takes them', async () => {
  expect(
    (
      await listed(
        [
          ['b', {}],
          ['a', {}],
        ],
        { output: 'name' },
      )
    ).out,
  ).toBe('apikey.keyward.dev/a\napikey.keyward.dev/b\n')
})

test('a selector that the server cannot read is named by its flag', async () => {
  const refuse = () => new Refused({ status: 400, reason: 'BadRequest', message: "found 'b', expected: in" })
  const options = { namespace: 'team-web', selector: 'a b', output: 'table', headers: true } as const
  await expect(listKeys(fakeCluster({ refuse }), options, fakeTerminal())).rejects.toMatchObject({
    exitCode: 2,
    message: `--selector: "a b" can't be read: found 'b', expected: in`,
  })
})
