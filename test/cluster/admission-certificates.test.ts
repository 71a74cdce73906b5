/** Certificates of the webhooks on a real API server, and of whoever calls them: renewed and exchanged with their CA while keys are created. */
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { startAdmission } from '../support/admission.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startCluster } from '../support/cluster.ts'
import { WEBHOOKS } from '../support/control-plane.ts'
import { startOperator } from '../support/operator.ts'
import { temporaryFolder } from '../support/process.ts'
import { until } from '../support/until.ts'
import { untilAdmitted, webhooksAt } from '../support/webhooks-at.ts'

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

function certificateAt(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3', shown: Shown = {}) {
  return new Promise<{ fingerprint: string; protocol: string | null }>((resolve, reject) => {
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion, minVersion: 'TLSv1.2' } as const
    const socket = connect({ ...options, ...shown })
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

type Shown = { readonly cert?: string; readonly key?: string }

/** The status of an answer, of whatever kind; undefined: there is none. */
function asked(port: number, shown: Shown): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port,
      path: '/validate',
      method: 'POST',
      rejectUnauthorized: false,
      agent: false,
    }
    const asking = request({ ...options, ...shown }, (response) => {
      resolve(response.statusCode)
      response.resume()
    })
    asking.once('error', () => resolve(undefined))
    asking.end('{}')
  })
}

/** Flags of an API server that shows this certificate to every webhook. */
function showing({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }): readonly string[] {
  const folder = temporaryFolder()
  const [kubeConfigFile, file] = [join(folder, 'webhooks.kubeconfig'), join(folder, 'admission.yaml')]
  const user = { 'client-certificate': certFile, 'client-key': keyFile }
  writeFileSync(kubeConfigFile, JSON.stringify({ apiVersion: 'v1', kind: 'Config', users: [{ name: '*', user }] }))
  const apiVersion = 'apiserver.config.k8s.io/v1'
  const configuration = { apiVersion, kind: 'WebhookAdmissionConfiguration', kubeConfigFile }
  const plugins = ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook'].map((name) => ({ name, configuration }))
  writeFileSync(file, JSON.stringify({ apiVersion, kind: 'AdmissionConfiguration', plugins }))
  return [`--admission-control-config-file=${file}`]
}

test('only holders of a certificate are answered where somebody says whose, and that is exchanged without a restart', async () => {
  const [callers, others, servers] = await Promise.all([makeAuthority(), makeAuthority(), makeAuthority()])
  const caller = await callers.issue(['kube-apiserver'])
  const other = await others.issue(['kube-apiserver'])
  const cluster = await startCluster({ admission: 'elsewhere', apiServerFlags: showing(caller) })
  const clientCa = join(temporaryFolder(), 'ca.crt')
  writeFileSync(clientCa, callers.ca)
  const operator = await startOperator(cluster, { args: ['--webhook-client-ca', clientCa] })
  const port = operator.webhooksPort
  await cluster.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: '127.0.0.1', port }))
  await untilAdmitted(cluster)
  expect(await asked(port, {})).toBe(undefined)
  expect(await asked(port, other)).toBe(undefined)
  expect(await asked(port, caller)).toBe(400)

  writeFileSync(clientCa, 'nothing')
  await until('it is said', () =>
    operator.output().includes('authorities of callers not exchanged') ? true : undefined,
  )
  expect([await asked(port, {}), await asked(port, caller)]).toEqual([undefined, 400])
  writeFileSync(clientCa, others.ca)
  await until('the other one counts', async () => ((await asked(port, other)) === 400 ? true : undefined))
  expect(await asked(port, caller)).toBe(undefined)
  await operator.stop()

  // with a certificate that somebody else renews it is the same
  const folder = temporaryFolder()
  await servers.issue(['127.0.0.1'], { folder })
  writeFileSync(clientCa, callers.ca)
  const second = await startOperator(cluster, {
    args: ['--webhook-certificate', folder, '--webhook-client-ca', clientCa],
  })
  const answers = () => Promise.all([{}, other, caller].map((shown) => asked(second.webhooksPort, shown)))
  expect(await answers()).toEqual([undefined, undefined, 400])
  const before = (await certificateAt(second.webhooksPort, 'TLSv1.3', caller)).fingerprint
  await servers.issue(['127.0.0.1'], { folder })
  await until('another certificate is shown', async () =>
    (await certificateAt(second.webhooksPort, 'TLSv1.3', caller)).fingerprint !== before ? true : undefined,
  )
  expect(await answers(), 'still').toEqual([undefined, undefined, 400])
  await second.stop()
})
