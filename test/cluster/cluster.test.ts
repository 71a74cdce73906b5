/** The API server that tests run on is a real one, and does what they ask of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Cluster, ON_KIND, startCluster } from '../support/cluster.ts'
import { temporaryFolder } from '../support/process.ts'
import { until } from '../support/until.ts'

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ controllers: true, deploy: false })
})

const put = async (name: string, text: string): Promise<number> => {
  await cluster.request('DELETE', `${CONFIG_MAPS}/${name}`)
  const { status, body } = await cluster.request('POST', CONFIG_MAPS, { metadata: { name }, data: { text } })
  expect(status).toBe(201)
  return versionOf(body)
}
const textOf = async (name: string): Promise<unknown> => {
  const { body } = await cluster.request('GET', `${CONFIG_MAPS}/${name}`)
  return (body as { data?: { text?: string } }).data?.text
}
const versionNow = async (): Promise<number> => versionOf((await cluster.request('GET', CONFIG_MAPS)).body)
const versionOf = (body: unknown): number =>
  Number((body as { metadata: { resourceVersion: string } }).metadata.resourceVersion)

/** The type of the first event of a watch, and the code where it is one of type ERROR. */
async function firstEvent(version: number): Promise<readonly [string | undefined, number | undefined]> {
  const { body } = await cluster.request('GET', `${CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion=${version}`)
  const [line = ''] = typeof body === 'string' ? body.split('\n') : [JSON.stringify(body)]
  const { type, object } = JSON.parse(line) as { type?: string; object?: { code?: number } }
  return [type, object?.code]
}

// first: after a fault the controllers take their time to find back
test('a Kubernetes namespace goes away with what is in it', async () => {
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'gone' } })
  await cluster.request('POST', '/api/v1/namespaces/gone/secrets', { metadata: { name: 'in-it' } })
  await cluster.request('DELETE', '/api/v1/namespaces/gone')
  await until(
    'it is gone',
    async () => (await cluster.request('GET', '/api/v1/namespaces/gone')).status === 404,
    30_000,
  )
})

describe('people and service accounts', () => {
  test('a service account may nothing until a role says so', async () => {
    const serviceAccount = await cluster.serviceAccount('reader', 'team-a')
    const ask = () => cluster.kubectl(['get', 'configmaps', '-n', 'team-a'], { serviceAccount })
    const refused = await ask()
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('User "system:serviceaccount:team-a:reader" cannot list resource "configmaps"'),
    ])
    await cluster.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader, namespace: team-a }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects: [{ kind: ServiceAccount, name: reader, namespace: team-a }]
`)
    await until('it is let in', async () => (await ask()).status === 0)
  })

  test('a person is refused by name', async () => {
    const { status, stderr } = await cluster.kubectl(['get', 'secrets'], { as: { user: 'eve', groups: ['devs'] } })
    expect([status, stderr]).toEqual([1, expect.stringContaining('User "eve" cannot list resource "secrets"')])
  })

  test('a token that nobody issued is refused', async () => {
    const serviceAccount = temporaryFolder()
    writeFileSync(join(serviceAccount, 'token'), 'made-up')
    const { status, stderr } = await cluster.kubectl(['get', 'configmaps'], { serviceAccount })
    expect([status, stderr]).toEqual([1, expect.stringContaining('Unauthorized')])
  })

  test('what kubectl refuses is told', async () => {
    await expect(cluster.apply('apiVersion: v1\nkind: Nothing\nmetadata: { name: a }\n')).rejects.toThrow('"Nothing"')
  })
})

describe.skipIf(ON_KIND)('faults', () => {
  test('what was written is there after API server and etcd were killed', async () => {
    await put('kept', 'a')
    await cluster.apiServer.kill()
    await expect(cluster.request('GET', CONFIG_MAPS)).rejects.toThrow('ECONNREFUSED')
    await cluster.etcd.kill()
    await Promise.all([cluster.etcd.start(), cluster.apiServer.start()])
    expect(await textOf('kept')).toBe('a')
  })

  test.each(['apiServer', 'etcd'] as const)(
    'while %s is paused nobody answers, and what was asked is answered later',
    async (part) => {
      cluster[part].pause()
      let answer: Answer | undefined
      const asked = cluster
        .request('POST', CONFIG_MAPS, { metadata: { name: `paused-${part.toLowerCase()}` } })
        .then((it) => {
          answer = it
        })
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(answer).toBeUndefined()
      cluster[part].resume()
      await asked
      expect(answer).toMatchObject({ status: 201 })
    },
  )

  test('after compaction and a restart of the API server old versions are gone, and the rest of an old list', async () => {
    const before = await put('compacted', 'a')
    await put('compacted', 'b')
    const { body } = await cluster.request('GET', `${CONFIG_MAPS}?limit=1`)
    const { continue: rest } = (body as { metadata: { continue: string } }).metadata
    const restOfList = async () => (await cluster.request('GET', `${CONFIG_MAPS}?limit=1&continue=${rest}`)).status
    expect([await firstEvent(before), await restOfList()]).toEqual([['DELETED', undefined], 200])
    // a revision of its own, so that what is cut off is older than what is there
    await put('compacted', 'c')
    await cluster.compact()
    await cluster.apiServer.kill()
    await cluster.apiServer.start()
    expect([await firstEvent(before), await restOfList()]).toEqual([['ERROR', 410], 410])
    expect(await textOf('compacted')).toBe('c')
  })

  test('a snapshot brings back the state of its time, with its lower version', async () => {
    await put('restored', 'old')
    const file = join(temporaryFolder(), 'snapshot')
    await cluster.snapshot(file)
    const then = await versionNow()
    for (const text of ['new', 'newer', 'newest']) await put('restored', text)
    const later = await versionNow()
    expect(later).toBeGreaterThan(then + 3)
    await cluster.restore(file)
    expect(await textOf('restored')).toBe('old')
    expect(await versionNow()).toBeLessThan(later)
    expect(await put('restored', 'again')).toBeLessThan(later)
  })
})

describe.skipIf(ON_KIND)('what can be looked at', () => {
  test('etcd gives what is stored now, and its files what was stored', async () => {
    await put('looked-at', 'first-marked-text')
    await put('looked-at', 'second-marked-text')
    const dump = (await cluster.etcdDump()).toString('latin1')
    expect(dump).toContain('/registry/configmaps/default/looked-at\0')
    expect([dump.includes('first-marked-text'), dump.includes('second-marked-text')]).toEqual([false, true])
    const files = cluster.etcdFiles().toString('latin1')
    expect([files.includes('first-marked-text'), files.includes('second-marked-text')]).toEqual([true, true])
  })

  test('the audit log tells who asked what, with the bodies of what may hold a secret', async () => {
    const serviceAccount = await cluster.serviceAccount('audited', 'team-a')
    await cluster.kubectl(['create', 'secret', 'generic', 'a', '-n', 'team-a'], { serviceAccount })
    await cluster.request('POST', '/api/v1/namespaces/default/secrets', {
      metadata: { name: 'audited' },
      stringData: { secret: 'marked-text' },
    })
    const lines = cluster.auditLog().split('\n').slice(0, -1)
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(entries).toContainEqual(
      expect.objectContaining({
        verb: 'create',
        user: expect.objectContaining({ username: 'system:serviceaccount:team-a:audited' }),
        responseStatus: expect.objectContaining({ code: 403 }),
      }),
    )
    expect(lines.filter((line) => line.includes(Buffer.from('marked-text').toString('base64')))).toHaveLength(1)
  })
})

test.skipIf(ON_KIND)('another one beside it shares nothing, and ends when it is told to', async () => {
  const other = await startCluster({ deploy: false, apiServerFlags: ['--event-ttl=2h'] })
  expect(other.port).not.toBe(cluster.port)
  await put('here', 'a')
  expect((await other.request('GET', `${CONFIG_MAPS}/here`)).status).toBe(404)
  await other.stop()
  await expect(request(`${other.server}/readyz`)).rejects.toThrow('ECONNREFUSED')
})
