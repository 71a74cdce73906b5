/** What holds while the webhooks don't answer or are gone, and that they are called for whatever widens. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { mergePatch, remove } from '../../src/kube/calls.ts'
import { type KubeClient, makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { SECRETS } from '../../src/kube/objects.ts'
import { parseManifest } from '../../src/resources/manifest.ts'
import { jitter, steadyMs } from '../../src/runtime/system.ts'
import { stampOf } from '../../src/webhook/stamped-object.ts'
import { asked } from '../../src/webhook/widening.ts'
import { type Admission, startAdmission } from '../support/admission.ts'
import { asPerson } from '../support/as-person.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'
import { drawnEdits, makeable } from './drawn-edits.ts'
import { makeWhatIsTakenAway, takingAway } from './taking-away.ts'

let cluster: Cluster
let admission: Admission

const KEYS = '/apis/keyward.dev/v1alpha1/namespaces/team-web/apikeys'

type Fields = Readonly<Record<string, unknown>>
type Read = {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly spec: Fields
}

const aKey = (name: string, spec: Fields = {}, metadata: Fields = {}) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name, namespace: 'team-web', ...metadata },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'], ...spec },
})

/** As an administrator, who may everything. */
const create = (object: object, query = '') => cluster.request('POST', `${KEYS}${query}`, object)
const edit = (name: string, spec: Fields, metadata: Fields = {}) =>
  cluster.request('PATCH', `${KEYS}/${name}`, { spec, metadata }, 'application/merge-patch+json')
const CLAIMS = KEYS.replace('apikeys', 'apikeyclaims')
const aClaim = (name: string, metadata: Fields = {}) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKeyClaim',
  metadata: { name, ...metadata },
  spec: { apiKey: 'left', publicJwk: { kty: 'EC', crv: 'P-256', x: 'a'.repeat(43), y: 'b'.repeat(43) } },
})
const apisIn = (namespace: string) => `/apis/keyward.dev/v1alpha1/namespaces/${namespace}/protectedapis`
const anApi = (name: string, host: string) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ProtectedApi',
  metadata: { name },
  spec: {
    environments: [{ name: 'production', hosts: [host] }],
    permissions: [{ name: 'a:b', title: 'all' }],
    routes: [{ path: '/open', public: true }],
  },
})
const claim = (object: object) => cluster.request('POST', CLAIMS, object)
const messageOf = ({ body }: { readonly body: unknown }) => String((body as { message?: unknown }).message)

beforeAll(async () => {
  cluster = await startCluster({
    admission: 'elsewhere',
    denials: [/^keyward-operator (create|delete|patch|update) secrets team-web/],
  })
  await cluster.apply('{apiVersion: v1, kind: Namespace, metadata: {name: team-web}}')
  admission = await startAdmission(cluster)
  await until('the webhooks are called', async () =>
    (await create(aKey('probe'), '?dryRun=All')).status === 201 ? true : undefined,
  )
})

describe('the webhook', () => {
  const specOf = (object: unknown) => {
    const read = parseManifest(object)
    if (!read.ok || read.manifest.kind !== 'ApiKey') throw new Error('not a key')
    return read.manifest.spec
  }

  test('is called for whatever widens, and hardly for anything else', async () => {
    let [widening, spared, called] = [0, 0, 0]
    for (const [i, [one, other, fields]] of drawnEdits().entries()) {
      const name = `pair-${i}`
      const made = await create(aKey(name, makeable(one)))
      expect(made.status).toBe(201)
      const before = made.body as Read
      const changed = Object.fromEntries(fields.map((field) => [field, other[field]]))
      const after = { ...before, spec: { ...before.spec, ...changed } }
      const seen = admission.answers.length
      const { status } = await cluster.request('PUT', `${KEYS}/${name}?dryRun=All`, after)
      // what the API server refuses by itself does not matter here
      if (status !== 200) continue
      const wasCalled = admission.answers.length > seen
      const widens = asked(specOf(aKey(name, before.spec)), specOf(aKey(name, after.spec))) !== undefined
      if (widens) {
        widening++
        expect([wasCalled, before.spec, after.spec]).toEqual([true, before.spec, after.spec])
      } else if (wasCalled) called++
      else spared++
    }
    expect(widening).toBeGreaterThan(20)
    expect(spared).toBeGreaterThan(20)
    // a rate in another unit, or the same time in another one
    expect(called).toBeLessThan(spared / 3)
  })
})

describe('the operator', () => {
  let folder: string
  let client: KubeClient
  const secret = (name: string, type: string, namespace = 'team-web') => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type,
    stringData: { password: 'hunter2' },
  })
  // kubectl would look at it first, which the operator may not
  const peek = (name: string, namespace = 'team-web') =>
    mergePatch(client, SECRETS, { ref: { namespace, name }, patch: {} })

  beforeAll(async () => {
    folder = await cluster.serviceAccount('keyward-operator')
    const access = inCluster({ folder, host: '127.0.0.1', port: String(cluster.port), steadyMs })
    client = makeClient({ access, steadyMs, jitter })
    for (const [name, type, namespace] of [
      ['db', 'Opaque'],
      ['mine', 'keyward.dev/credential'],
      ['other', 'Opaque', 'keyward-system'],
    ] as const) {
      await cluster.apply(JSON.stringify(secret(name, type, namespace)))
    }
  })

  test.each([
    ['db', 'team-web'],
    ['other', 'keyward-system'],
  ])(
    'can neither read nor remove a foreign Secret by a patch that changes nothing: %s in %s',
    async (name, namespace) => {
      await expect(peek(name, namespace)).rejects.toMatchObject({ code: 'kube_forbidden' })
      await expect(remove(client, SECRETS, { ref: { namespace, name } })).rejects.toMatchObject({
        code: 'kube_forbidden',
      })
    },
  )

  test('can make no Secret that is a token of somebody', async () => {
    const token = {
      ...secret('token', 'kubernetes.io/service-account-token'),
      metadata: {
        name: 'token',
        namespace: 'team-web',
        annotations: { 'kubernetes.io/service-account.name': 'default' },
      },
    }
    const made = await cluster.kubectl(['create', '-f', '-'], { serviceAccount: folder, input: JSON.stringify(token) })
    expect(made.stderr).toContain(
      "Keyward's operator touches Secrets of these types only in team-web: keyward.dev/credential",
    )
  })

  test('still reaches its own, and takes none away: the garbage collector does', async () => {
    expect((await peek('mine')).data).toEqual({ password: Buffer.from('hunter2').toString('base64') })
    const removing = remove(client, SECRETS, { ref: { namespace: 'team-web', name: 'mine' } })
    await expect(removing).rejects.toMatchObject({ code: 'kube_forbidden' })
  })
})

describe("Keyward's own Kubernetes namespaces", () => {
  test.each(['keyward-system', 'keyward-operator'])(
    'are not deleted by mistake, and are where somebody says so twice: %s',
    async (name) => {
      const removed = () => cluster.kubectl(['delete', 'namespace', name, '--dry-run=server'])
      expect((await removed()).stderr).toContain('annotate it with keyward.dev/allow-deletion first')
      await cluster.kubectl(['annotate', 'namespace', name, 'keyward.dev/allow-deletion='])
      expect((await removed()).stderr).toBe('')
      await cluster.kubectl(['annotate', 'namespace', name, 'keyward.dev/allow-deletion-'])
    },
  )

  test.each(['keyward-system', 'keyward-operator'])('have no keys: %s', async (namespace) => {
    const key = aKey('inside', {}, { namespace })
    const made = await cluster.request('POST', `/apis/keyward.dev/v1alpha1/namespaces/${namespace}/apikeys`, key)
    expect(messageOf(made)).toContain("Keyward's webhook did not stamp this")
  })

  test.each(['team-web', 'keyward-system', 'keyward-operator'])(
    'give no host to somebody who may not serve it, like any other: %s',
    async (namespace) => {
      const role = `{kind: ClusterRole, name: keyward-edit, apiGroup: rbac.authorization.k8s.io}`
      await cluster.apply(
        `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: eve, namespace: ${namespace}}, roleRef: ${role}, subjects: [{kind: User, name: eve}]}`,
      )
      const api = anApi('api', `${namespace}.example.com`)
      const eve = asPerson(cluster).as({ user: 'eve' })
      const refused = await eve.request('POST', apisIn(namespace), api)
      expect([refused.status, messageOf(refused)]).toEqual([
        403,
        expect.stringContaining(`"eve" may not serve this host: ${namespace}.example.com.`),
      ])
      expect((await cluster.request('POST', apisIn(namespace), api)).status).toBe(201)
    },
  )
})

test('the manifests of docs/install.md are such as an API server takes', async () => {
  const text = readFileSync(new URL('../../docs/install.md', import.meta.url), 'utf8')
  const manifests = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml)
  const input = manifests.join('---\n')
  const { stderr, stdout } = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { input })
  expect(stderr).toBe('')
  expect(stdout.match(/^\S+ created/gm)?.map((line) => line.split(' ')[0])).toEqual([
    'deployment.apps/keyward-operator',
    'deployment.apps/keyward-authz',
    'service/keyward-authz',
    'networkpolicy.networking.k8s.io/keyward-operator',
    'networkpolicy.networking.k8s.io/keyward-authz',
  ])
})

// last: nothing answers from here on
describe('while no webhook answers', () => {
  let made: Read
  let claimed: Read

  beforeAll(async () => {
    made = (await create(aKey('left', { permissions: ['a:b', 'a:c'] }))).body as Read
    claimed = (await claim(aClaim('claimed'))).body as Read
    await create(aKey('second'))
    await makeWhatIsTakenAway(cluster)
    await admission.stop()
  })

  test('nothing is created or widened, and the refusal says why', async () => {
    expect(messageOf(await create(aKey('new')))).toContain('failed calling webhook "stamp.keyward.dev"')
    expect(messageOf(await edit('left', { permissions: ['a:b', 'a:c', 'a:d'] }))).toContain(
      'failed calling webhook "apikeys.keyward.dev"',
    )
  })

  test('a key is narrowed, suspended, revoked and deleted as ever', async () => {
    for (const spec of [{ permissions: ['a:b'] }, { state: 'Suspended' }, { displayName: 'x' }, { state: 'Revoked' }]) {
      expect((await edit('left', spec)).status).toBe(200)
    }
    expect((await cluster.request('DELETE', `${KEYS}/second`)).status).toBe(200)
  })

  test("an API in Keyward's own Kubernetes namespace is closed and deleted as ever", async () => {
    const api = `${apisIn('keyward-system')}/api`
    const closed = { spec: { unmatched: 'deny', routes: [{ path: '/open', permission: 'a:b' }] } }
    expect((await cluster.request('PATCH', api, closed, 'application/merge-patch+json')).status).toBe(200)
    expect((await cluster.request('DELETE', api)).status).toBe(200)
  })

  describe('what takes away goes on:', () => takingAway(() => cluster))

  test('pods, Secrets and everything else of others go on', async () => {
    const { status } = await cluster.kubectl(['create', 'configmap', 'x', '-n', 'team-web', '--from-literal=a=b'])
    expect(status).toBe(0)
  })

  describe('and their configurations are taken away', () => {
    const annotations = (name: string, stamp: string) => ({
      annotations: { 'keyward.dev/creator': name, 'keyward.dev/creator-stamp': stamp },
    })

    beforeAll(async () => {
      for (const kind of ['mutating', 'validating'])
        await cluster.kubectl(['delete', `${kind}webhookconfiguration`, 'keyward'])
      await until('they are gone', async () =>
        messageOf(await create(aKey('x'), '?dryRun=All')).includes('did not stamp') ? true : undefined,
      )
    })

    test('nothing can be made without a stamp, nor with that of somebody else', async () => {
      const said = "Keyward's webhook did not stamp this"
      expect(messageOf(await create(aKey('new')))).toContain(said)
      expect(messageOf(await create(aKey('new', {}, annotations('root', 'v1.x.y'))))).toContain(said)
    })

    const claimant = (name: string, stamp: string) => ({
      annotations: { 'keyward.dev/claimant': name, 'keyward.dev/claimant-stamp': stamp },
    })
    const stampKey = async () => {
      const data = await cluster.request('GET', '/api/v1/namespaces/keyward-operator/secrets/keyward-stamp-key')
      return Buffer.from((data.body as { data: { key: string } }).data.key, 'base64')
    }

    test('nothing is claimed without a stamp, nor with that of somebody else, nor with that of a creator', async () => {
      for (const metadata of [{}, claimant('root', 'v1.x.y'), annotations('admin', 'v1.x.y')])
        expect(messageOf(await claim(aClaim('new', metadata)))).toContain("Keyward's webhook did not stamp this")
      const both = {
        annotations: { ...claimant('admin', 'v1.x.y').annotations, ...annotations('admin', '').annotations },
      }
      expect(messageOf(await claim(aClaim('new', both)))).toContain("Keyward's webhook did not stamp this")
    })

    test('no stamp of a claim is changed or taken off', async () => {
      for (const metadata of [claimant('root', 'v1.x.y'), { annotations: null }, annotations('admin', 'v1.x.y')]) {
        const type = 'application/merge-patch+json'
        const patched = await cluster.request('PATCH', `${CLAIMS}/claimed`, { metadata }, type)
        expect(messageOf(patched)).toContain("who made this, or claimed it, can't be changed")
      }
    })

    test('the stamp of a claim that was copied is believed by nobody', async () => {
      const { annotations: real = {} } = claimed.metadata
      const copied = await claim(aClaim('copy', { annotations: real }))
      expect(copied.status).toBe(201)
      const key = await stampKey()
      const person = { username: real['keyward.dev/claimant'] }
      expect(stampOf('ApiKeyClaim', claimed, [key])).toMatchObject({ ok: true, value: { person } })
      expect(stampOf('ApiKeyClaim', copied.body, [key])).toEqual({
        ok: false,
        problem: 'its stamp was made for another object',
      })
    })

    test('no stamp is changed or taken off', async () => {
      for (const metadata of [annotations('root', 'v1.x.y'), { annotations: null }]) {
        expect(messageOf(await edit('left', {}, metadata))).toContain("who made this, or claimed it, can't be changed")
      }
    })

    test('a stamp of the right name that was copied is believed by nobody', async () => {
      const { creator = '', stamp = '' } = {
        creator: made.metadata.annotations?.['keyward.dev/creator'],
        stamp: made.metadata.annotations?.['keyward.dev/creator-stamp'],
      }
      const copied = await create(aKey('copy', {}, annotations(creator, stamp)))
      expect(copied.status).toBe(201)
      const key = await stampKey()
      expect(stampOf('ApiKey', made, [key])).toMatchObject({ ok: true, value: { person: { username: creator } } })
      expect(stampOf('ApiKey', copied.body, [key])).toEqual({
        ok: false,
        problem: 'its stamp was made for another object',
      })
    })
  })
})
