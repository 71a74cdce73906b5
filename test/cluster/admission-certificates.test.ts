/** Certificates of the webhooks on a real API server: renewed and exchanged with their CA while keys are created. */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { startAdmission } from '../support/admission.ts'
import { startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000
const MINUTE = 60_000
const SECRET = '/api/v1/namespaces/keyward-operator/secrets/keyward-webhook-certificates'

test('of replicas that come at once one makes what all of them serve', async () => {
  const cluster = await startCluster({ admission: 'elsewhere' })
  const replicas = await Promise.all([startAdmission(cluster), startAdmission(cluster), startAdmission(cluster)])
  const shown = await Promise.all(replicas.map(({ port }) => certificateAt(port)))
  expect(new Set(shown.map(({ fingerprint }) => fingerprint)).size).toBe(1)
  expect(shown.map(({ protocol }) => protocol)).toEqual(['TLSv1.3', 'TLSv1.3', 'TLSv1.3'])
  await expect(certificateAt(replicas[0]?.port ?? 0, 'TLSv1.2')).rejects.toThrow()
  await Promise.all(replicas.map(({ stop }) => stop()))
})

function certificateAt(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') {
  return new Promise<{ fingerprint: string; protocol: string | null }>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion, minVersion: 'TLSv1.2' })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve({ fingerprint: socket.getPeerCertificate().fingerprint256, protocol: socket.getProtocol() })
      socket.destroy()
    })
  })
}

test('a certificate that ends and a CA that is exchanged cost no creation, and no restart', async () => {
  const cluster = await startCluster({ admission: 'elsewhere' })
  await cluster.apply('{apiVersion: v1, kind: Namespace, metadata: {name: team-web}}')
  // the operator's clock; the API server looks at the real one
  const clock = { offset: -250 * DAY }
  const admission = await startAdmission(cluster, { now: () => Date.now() + clock.offset, lookEveryMs: 100 })
  const data = async () => {
    const { body } = await cluster.request('GET', SECRET)
    return (body as { data: Readonly<Record<string, string>> }).data
  }
  const create = () =>
    cluster.request('POST', '/apis/keyward.dev/v1alpha1/namespaces/team-web/apikeys?dryRun=All', {
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'ApiKey',
      metadata: { generateName: 'main-' },
      spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'] },
    })
  const first = await data()
  const expired = await create()
  expect(JSON.stringify(expired.body)).toContain('certificate has expired or is not yet valid')

  clock.offset = -15 * MINUTE
  const renewed = await until('a certificate of today is there, and another CA announced', async () => {
    const now = await data()
    return now['next-ca.crt'] !== undefined && now['tls.crt'] !== first['tls.crt'] ? now : undefined
  })
  expect(renewed['ca.crt']).toBe(first['ca.crt'])
  // a stamp counts only near its creation, so the operator's clock must be right for more than a dry run of the first webhook
  const isCalled = async () => !JSON.stringify((await create()).body).includes('failed calling webhook')
  await until('it is served', async () => ((await isCalled()) ? true : undefined))

  const refused: unknown[] = []
  const load = { on: true }
  const loading = (async () => {
    while (load.on) {
      const { body } = await create()
      if (JSON.stringify(body).includes('failed calling webhook')) refused.push(body)
      await sleep(10)
    }
  })()
  clock.offset = -4 * MINUTE
  const exchanged = await until('the announced CA signs', async () => {
    const now = await data()
    return now['previous-ca.crt'] !== undefined ? now : undefined
  })
  expect([exchanged['ca.crt'], exchanged['previous-ca.crt']]).toEqual([renewed['next-ca.crt'], renewed['ca.crt']])
  await sleep(1500)
  load.on = false
  await loading
  expect(refused).toEqual([])
  await admission.stop()
})
