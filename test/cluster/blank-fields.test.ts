/** What plain kubectl apply leaves out of a manifest, and no rule of a CRD can see: a shipped policy refuses it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

const key = (name: string, more: string) => `
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: { name: ${name}, namespace: default }
spec:
  accessNamespace: acme
  environment: production
  permissions: [license:manage]
${more}`

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.stop())

const apply = (name: string, more: string) => cluster.kubectl(['apply', '-f', '-'], { input: key(name, more) })

test('a limit that is left blank is refused under plain kubectl apply too', async () => {
  // a policy comes into force a moment after it is made
  await until('the policy is in force', async () => (await apply('first', '  customers:')).status !== 0, 20_000)
  for (const field of ['customers', 'allowedCIDRs', 'expiresAt', 'rateLimit', 'quota']) {
    const { status, stderr } = await apply('blank', `  ${field}:`)
    expect([field, status, stderr]).toEqual([field, 1, expect.stringContaining('is left blank in the manifest')])
  }
})

test('a limit that is blanked out later is refused, and stays', async () => {
  expect((await apply('limited', '  customers: [globex]')).status).toBe(0)
  expect((await apply('limited', '  customers:')).stderr).toContain('is left blank in the manifest')
  const read = await cluster.kubectl(['get', 'apikey', 'limited', '-o', 'jsonpath={.spec.customers}'])
  expect(read.stdout).toBe('["globex"]')
})

test('what can not be removed is refused by its own rule', async () => {
  expect((await apply('ending', '  expiresAt: "2099-03-01T00:00:00Z"')).status).toBe(0)
  expect((await apply('ending', '')).stderr).toContain("expiresAt can't be removed")
})

test('a patch that takes a limit away means it', async () => {
  const patch = ['patch', 'apikey', 'limited', '--type', 'merge', '-p', '{"spec":{"customers":null}}']
  expect((await cluster.kubectl(patch)).status).toBe(0)
})

test('a text that looks like a blank field is a text', async () => {
  expect((await apply('text', `  displayName: '"customers":null'`)).stderr).toBe('')
})
