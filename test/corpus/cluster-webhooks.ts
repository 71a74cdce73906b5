/** Cases about the webhooks themselves: what they are sent by others than the API server, and what goes on without them. */
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { until } from '../support/until.ts'
import { aKey, type ClusterCase, type ClusterWorld, create, EDITOR, KEYS, messageOf, TEAM } from './cluster-world.ts'

type Posted = { readonly status: number; readonly body: string }

/** As any pod can that reaches the port: it proves nothing of itself. */
export function post(port: number, path: string, body: string): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method: 'POST', rejectUnauthorized: false, agent: false }
    const sent = request({ ...options, headers: { 'content-type': 'application/json' } }, (response) => {
      text(response).then((answered) => resolve({ status: response.statusCode ?? 0, body: answered }), reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const POD = { kind: { group: 'keyward.dev', version: 'v1alpha1', kind: 'Pod' } }

const PERSON = { username: 'editor@example.com', uid: '', groups: ['system:masters'] }

const aReview = (object: unknown, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: 'keyward.dev', version: 'v1alpha1', kind: 'ApiKey' },
      ...{ namespace: TEAM, name: 'faked', operation: 'CREATE', userInfo: PERSON, object, ...more },
    },
  })

const portOf = ({ cluster }: ClusterWorld): number => {
  if (cluster.admission === undefined) throw new Error('nobody answers the webhooks here')
  return cluster.admission.port
}

type Patch = readonly { readonly path: string; readonly value?: unknown }[]

/** The annotations of a stamp that the webhook was talked into. */
function stampIn(body: string): Readonly<Record<string, unknown>> {
  const { response } = JSON.parse(body) as { readonly response: { readonly patch?: string } }
  const patch = JSON.parse(Buffer.from(response.patch ?? 'W10=', 'base64').toString()) as Patch
  return Object.fromEntries(
    patch
      .filter(({ path }) => path.startsWith('/metadata/annotations/'))
      .map(({ path, value }) => [path.slice('/metadata/annotations/'.length).replaceAll('~1', '/'), value]),
  )
}

async function goesOn({ cluster }: ClusterWorld): Promise<void> {
  const made = async (path: string, object: object) => {
    const answer = await cluster.request('POST', path, object)
    expect([path, answer.status, answer.status === 201 ? '' : messageOf(answer)]).toEqual([path, 201, ''])
  }
  const dry = (path: string) => `${path}?dryRun=All`
  const pod = (serviceAccountName: string) => ({
    metadata: { generateName: 'any-' },
    spec: {
      serviceAccountName,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          ...{ name: 'any', image: 'any' },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  })
  await cluster.serviceAccount('controller', TEAM)
  await made(dry(`/api/v1/namespaces/${TEAM}/pods`), pod('controller'))
  await made(dry(`/api/v1/namespaces/${TEAM}/secrets`), { metadata: { name: 'any' } })
  await made(dry(`/apis/coordination.k8s.io/v1/namespaces/${TEAM}/leases`), { metadata: { name: 'any' }, spec: {} })
  // Keyward itself comes up again too
  await made(dry('/api/v1/namespaces/keyward-system/pods'), pod('keyward-operator'))
  await made(dry('/apis/coordination.k8s.io/v1/namespaces/keyward-system/leases'), {
    metadata: { name: 'any' },
    spec: {},
  })
}

export const WEBHOOK_CASES: Readonly<Record<string, ClusterCase>> = {
  'DOS-webhook-body': async (world) => {
    const port = portOf(world)
    // an old and a new object of what etcd takes lie below the bound; this is no review of any
    const threeMiB = JSON.stringify({ kind: 'AdmissionReview', request: 'x'.repeat(3 * 1024 * 1024) })
    expect((await post(port, '/validate', threeMiB)).status).toBe(400)
    // small, and long to look through
    expect((await post(port, '/validate', `[${'[],'.repeat(100_000)}[]]`)).status).toBe(413)
    const answer = await post(port, '/validate', JSON.stringify('x'.repeat(8 * 1024 * 1024))).catch(() => undefined)
    // or it hung up while more was still being sent
    expect([413, undefined]).toContain(answer?.status)
    await stillAnswers(world)
  },
  'DOS-webhook-panic': async (world) => {
    const port = portOf(world)
    const head = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }
    for (const path of ['/validate', '/mutate']) {
      expect((await post(port, path, JSON.stringify({ ...head, request: null }))).status).toBe(400)
      expect((await post(port, path, JSON.stringify(null))).status).toBe(400)
    }
    // no object, and kinds of others: never a yes
    for (const review of [aReview(null), aReview({ ...aKey('x'), kind: 'Pod' }, POD)]) {
      const { status, body } = await post(port, '/validate', review)
      expect(status === 400 || (status === 200 && !body.includes('"allowed":true')), body).toBe(true)
    }
    await stillAnswers(world)
  },
  'DOS-json-dupkeys': async (world) => {
    const twice = '{"apiVersion":"v1","apiVersion":"v2","kind":"AdmissionReview","kind":"X"}'
    expect((await post(portOf(world), '/validate', twice)).status).toBe(400)
    await stillAnswers(world)
  },
  'CRD-webhook-fake-review': async (world) => {
    const { cluster } = world
    const port = portOf(world)
    // what it answers changes nothing anywhere
    const { status, body } = await post(port, '/mutate', aReview(aKey('faked')))
    expect([status, (await cluster.request('GET', `${KEYS}/faked`)).status]).toEqual([200, 404])
    // a stamp that says more of its bearer than is true is taken off where it is brought
    const asEditor = (object: object) =>
      cluster.kubectl(['create', '-f', '-', '-o', 'json'], { as: EDITOR, input: JSON.stringify(object) })
    const brought = await asEditor(aKey('faked', {}, { annotations: stampIn(body) }))
    const stored = (JSON.parse(brought.stdout) as { metadata: { annotations: Record<string, string> } }).metadata
    expect(Object.keys(stored.annotations).sort()).toEqual(Object.keys(stampIn(body)).sort())
    expect(stored.annotations['keyward.dev/creator-stamp']).not.toBe(stampIn(body)['keyward.dev/creator-stamp'])
    // and where the webhook is not asked, nothing can be made at all
    for (const namespace of ['keyward-system', 'keyward-operator']) {
      const object = aKey('faked', {}, { namespace })
      const forged = stampIn((await post(port, '/mutate', aReview(object, { namespace }))).body)
      const made = await asEditor({ ...object, metadata: { ...object.metadata, annotations: forged } })
      expect([namespace, made.status, made.stderr]).toEqual([namespace, 1, expect.stringContaining('(Forbidden)')])
    }
  },
  // last: nothing answers from here on
  'CRD-webhook-down': async (world) => {
    expect((await create(world, aKey('left-behind'))).status).toBe(201)
    await world.cluster.admission?.stop()
    const refused = await create(world, aKey('too-late'))
    expect([refused.status, messageOf(refused)]).toEqual([
      500,
      expect.stringContaining('failed calling webhook "stamp.keyward.dev"'),
    ])
    const suspended = { spec: { state: 'Suspended' } }
    const answer = await world.cluster.request(
      'PATCH',
      `${KEYS}/left-behind`,
      suspended,
      'application/merge-patch+json',
    )
    expect(answer.status).toBe(200)
    await goesOn(world)
  },
  'CRD-webhook-self': async (world) => {
    await goesOn(world)
    const stopped = world.operator()
    await stopped.stop()
    // an operator of its own starts without anybody's leave
    await (await world.startOperator()).leads()
  },
}

async function stillAnswers(world: ClusterWorld): Promise<void> {
  await until('a key can be made', async () => {
    const answer = await world.cluster.request('POST', `${KEYS}?dryRun=All`, aKey('still-answers'))
    return answer.status === 201
  })
}
