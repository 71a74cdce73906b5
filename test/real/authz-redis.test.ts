import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Authz, startAuthz } from '../support/authz.ts'
import { startRedis } from '../support/redis.ts'
import { newHome, startStandalone } from '../support/standalone.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const key = (name: string, requests: number) => `---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: ${name}, namespace: team}
spec:
  accessNamespace: acme
  environment: production
  permissions: ["thing:read"]
  rateLimit: {requests: ${requests}, per: 1h}
`

const MANIFESTS = {
  'all.yaml': `apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: things, namespace: team}
spec:
  environments: [{name: production, hosts: [api.test]}]
  routes: [{methods: [GET], path: /things, permission: "thing:read"}]
${key('low', 30)}${key('high', 3000)}${key('other', 1000)}`,
}

const spend = (authz: Authz, credential: string) =>
  ask(`${authz.checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
  })

const metricsOf = async (authz: Authz) => (await ask(`${authz.adminUrl}/metrics`)).text

const MAIN = join(import.meta.dirname, '../../src/main.ts')

describe('authz with --redis', () => {
  test('shares limits with its other replicas, and goes on without them', THREE_TRIALS, async () => {
    const redis = await startRedis()
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const args = ['--redis', redis.url, '--replicas', '2']
    const both = await Promise.all([1, 2].map(() => startAuthz({ home: standalone.home, args })))
    const [low, high, other] = await Promise.all(['low', 'high', 'other'].map((name) => standalone.key(`team/${name}`)))
    for (const authz of both) {
      await until('Redis has answered', async () => {
        await spend(authz, other?.key ?? '')
        return !/round_trip_seconds_count 0$/m.test(await metricsOf(authz))
      })
      expect(await metricsOf(authz)).toContain('keyward_limits_mode{mode="shared"} 1')
      expect(authz.output()).not.toContain('limits are per process')
    }
    const sixty = (credential: string | undefined) =>
      Promise.all(Array.from({ length: 60 }, (_, i) => spend(both[i % 2] as Authz, credential ?? '')))
    // what has never run yet may be slower than a caller is made to wait for Redis: it would be granted without it
    await sixty(other?.key)
    const answers = await sixty(low?.key)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30)
    expect(answers.find(({ status }) => status === 429)?.json.code).toBe('rate_limited')

    const [first, second] = both as [Authz, Authz]
    // leased: a batch is taken in advance, and given back before the end
    expect((await spend(first, high?.key ?? '')).status).toBe(200)
    expect(await first.stop()).toBe(0)
    await redis.kill()
    await until('it answers without Redis', async () => (await spend(second, other?.key ?? '')).status === 200)
    await until('it says so', () => second.output().includes('limits are out of reach'))
    expect(await second.stop()).toBe(0)
    await standalone.stop()
  })

  test('that can not be meant like this names every problem and exits 2', () => {
    const home = newHome(MANIFESTS)
    const folders = ['--manifests', join(home, 'manifests'), '--data', join(home, 'data')]
    const args = ['--redis', 'http://x', '--redis-prefix', 'a b']
    for (const [given, flag] of [
      [args.slice(0, 2), '--redis (KEYWARD_REDIS)'],
      [args.slice(2), '--redis-prefix (KEYWARD_REDIS_PREFIX)'],
      [['--redis-ca', '/nowhere'], '--redis-ca (KEYWARD_REDIS_CA): needs --redis'],
    ] as const) {
      const ran = spawnSync(process.execPath, [MAIN, 'authz', ...folders, ...given], {
        encoding: 'utf8',
        timeout: 60_000,
      })
      expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining(flag)])
    }
  })
})

describe('authz without --redis', () => {
  test('says that limits are per process, and grants its part where there are others', THREE_TRIALS, async () => {
    const standalone = await startStandalone({ manifests: MANIFESTS })
    const authz = await startAuthz({ home: standalone.home, args: ['--replicas', '3'] })
    const { key: credential } = await standalone.key('team/low')
    await until('known', async () => (await spend(authz, credential)).status === 200)
    let granted = 1
    while ((await spend(authz, credential)).status === 200) granted++
    expect(granted).toBeLessThanOrEqual(10)
    expect(authz.output()).toContain('this one grants one part in 3 of each limit, and one request at least')
    expect(await metricsOf(authz)).toContain('keyward_limits_mode{mode="process"} 1')
    await Promise.all([authz.stop(), standalone.stop()])
  })
})
