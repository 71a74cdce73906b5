/** Admission on a real API server: nobody makes, widens or claims more than they are, and no stamp is made up. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Admission, startAdmission } from '../support/admission.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'
import { leftToTheWebhook } from './left-to-the-webhook.ts'

let cluster: Cluster
let admission: Admission

const ANA = { user: 'ana@example.com', groups: ['devs'] }
const BEN = { user: 'ben@example.com' }
const CARL = { user: 'carl@example.com' }

const ROLES = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writes}
rules: [{apiGroups: [keyward.dev], resources: [apikeys, apikeyclaims, protectedapis, accessnamespaces], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writes}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: ana@example.com}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: ben@example.com}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: carl@example.com}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acme-grants}
rules:
  - {apiGroups: [keyward.dev], resources: [accessnamespaces/permissions], resourceNames: [acme], verbs: ["license:manage", "customer:read"]}
  - {apiGroups: [keyward.dev], resources: [hosts], resourceNames: [api.example.com], verbs: [serve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: acme-grants}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acme-grants}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-everywhere}
rules: [{apiGroups: [keyward.dev], resources: [accessnamespaces/permissions], verbs: ["customer:read"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads-everywhere}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-everywhere}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ben@example.com}]
`

beforeAll(async () => {
  cluster = await startCluster({ admission: 'elsewhere' })
  await cluster.apply(ROLES)
  await cluster.apply('{apiVersion: v1, kind: Namespace, metadata: {name: team-web}}')
  admission = await startAdmission(cluster)
  await until('the webhooks are called', async () => {
    const { status } = await create(aKey('probe'), ANA, '--dry-run=server')
    return status === 0 ? true : undefined
  })
})

type Who = { readonly user: string; readonly groups?: readonly string[] }
type Fields = Readonly<Record<string, unknown>>

const aKey = (name: string, spec: Fields = {}, metadata: Fields = {}) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name, namespace: 'team-web', ...metadata },
  spec: {
    accessNamespace: 'acme',
    environment: 'production',
    permissions: ['license:manage', 'customer:read'],
    ...spec,
  },
})

const aClaim = (apiKey: string, metadata: Fields = { generateName: `${apiKey}-` }) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKeyClaim',
  metadata: { namespace: 'team-web', ...metadata },
  spec: { apiKey, publicJwk: { kty: 'EC', crv: 'P-256', x: 'a'.repeat(43), y: 'b'.repeat(43) } },
})

const create = (object: object, as: Who, ...flags: readonly string[]) =>
  cluster.kubectl(['create', '-f', '-', '-o', 'json', ...flags], { as, input: JSON.stringify(object) })

const patch = (name: string, spec: Fields, as: Who, metadata: Fields = {}) =>
  cluster.kubectl(
    ['patch', 'apikey', name, '-n', 'team-web', '--type=merge', '-p', JSON.stringify({ spec, metadata }), '-o', 'json'],
    { as },
  )

type Read = { readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> } }
const readBack = (stdout: string) => JSON.parse(stdout) as Read
const stored = async (name: string) =>
  readBack((await cluster.kubectl(['get', 'apikey', name, '-n', 'team-web', '-o', 'json'])).stdout)

describe('whoever creates a key', () => {
  test('is stamped into it, and the stamp is good for a name that the API server made up', async () => {
    const { stdout, stderr, status } = await create(aKey('', {}, { name: undefined, generateName: 'main-' }), ANA)
    expect([status, stderr]).toEqual([0, ''])
    const { annotations } = readBack(stdout).metadata
    expect(annotations?.['keyward.dev/creator']).toBe('ana@example.com')
    expect(annotations?.['keyward.dev/creator-stamp']).toMatch(/^v1\./)
  })

  test.each([58, 70, 253])(
    'is stamped into one with a name of %s characters, and so is who claims it',
    async (length) => {
      const name = `${'n'.repeat(length - 1)}x`
      expect((await create(aKey(name), ANA)).stderr).toBe('')
      for (const object of [aClaim(name), aKey('', {}, { name: undefined, generateName: `${name}-`.slice(0, 253) })]) {
        const { stdout, stderr } = await create(object, ANA)
        expect(stderr).toBe('')
        expect(readBack(stdout).metadata.name).toMatch(/^n{57}[nx][a-z0-9]{5}$/)
      }
    },
  )

  test('is told everything that they may not grant, and the rule that would allow it', async () => {
    const { stderr, status } = await create(
      aKey('much', { permissions: ['customer:read', 'license:manage', 'a:b'] }),
      BEN,
    )
    expect(status).toBe(1)
    expect(stderr.trim().split('\n')).toEqual([
      'Error from server (Forbidden): error when creating "STDIN": admission webhook "apikeys.keyward.dev" denied the request: "ben@example.com" may not create ApiKey team-web/much, since they may not grant this in access namespace acme: license:manage, a:b (2 of the 3 permissions of this key).',
      'A ClusterRole with this rule, bound by a ClusterRoleBinding to',
      '{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ben@example.com"}, would allow it:',
      '- apiGroups: [keyward.dev]',
      '  resources: [accessnamespaces/permissions]',
      '  resourceNames: ["acme"]',
      '  verbs: ["license:manage", "a:b"]',
    ])
  })

  test('is told so where they have access to nothing, though they may write access namespaces', async () => {
    const { stderr } = await create(aKey('nothing'), CARL)
    expect(stderr).toContain('"carl@example.com" has access to no access namespace at all')
  })

  test('may once the very rule of the refusal is there', async () => {
    const refused = await create(aKey('later'), CARL)
    const rules = refused.stderr.slice(refused.stderr.indexOf('- apiGroups'))
    const subject = /^(\{.*\}), would allow it:$/m.exec(refused.stderr)?.[1]
    await cluster.apply(
      `apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: carl}\nrules:\n${rules}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: carl}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: carl}\nsubjects: [${subject}]\n`,
    )
    const created = await until('carl may', async () => {
      const { status } = await create(aKey('later'), CARL)
      return status === 0 ? true : undefined
    })
    expect(created).toBe(true)
    await cluster.kubectl(['delete', 'clusterrolebinding', 'carl'])
  })

  test('can bring along no stamp, and changes none', async () => {
    const forged = { annotations: { 'keyward.dev/creator': 'root', 'keyward.dev/creator-stamp': 'v1.x.y' } }
    const { stdout } = await create(aKey('forged', {}, forged), ANA)
    const made = readBack(stdout).metadata.annotations
    expect(made?.['keyward.dev/creator']).toBe('ana@example.com')
    for (const annotations of [forged.annotations, null, { 'keyward.dev/creator': null }]) {
      expect((await patch('forged', { displayName: 'x' }, BEN, { annotations })).stderr).toBe('')
      expect((await stored('forged')).metadata.annotations).toEqual(made)
    }
  })

  test('leaves nothing behind in a dry run', async () => {
    expect((await create(aKey('dry'), ANA, '--dry-run=server')).status).toBe(0)
    expect((await cluster.kubectl(['get', 'apikey', 'dry', '-n', 'team-web'])).status).toBe(1)
  })

  test.each<[string, Fields, string]>([
    [
      'ends in the past',
      { expiresAt: '2001-01-01T00:00:00Z' },
      'spec.expiresAt: Invalid value: "2001-01-01T00:00:00.000Z": it lies in the past',
    ],
  ])('is refused one that %s', async (_what, spec, said) => {
    expect((await create(aKey('wrong', spec), ANA)).stderr).toContain(said)
  })
})

describe('whoever edits a key', () => {
  beforeAll(async () => {
    const { stderr } = await create(
      aKey('edited', { rateLimit: { requests: 60, per: '1m' }, customers: ['a'], state: 'Suspended' }),
      ANA,
    )
    expect(stderr).toBe('')
  })

  test.each<[string, Fields, string]>([
    ['resuming', { state: 'Active' }, 'spec.state'],
    ['a new secret', { regenerate: 1 }, 'spec.regenerate'],
    ['another limit', { rateLimit: { requests: 61, per: '1m' } }, 'spec.rateLimit'],
    ['no more customers', { customers: null }, 'spec.customers'],
    [
      'a permission of their own',
      { permissions: ['license:manage', 'customer:read', 'customer:write'] },
      'spec.permissions',
    ],
  ])('must hold all of it for what widens: %s', async (_what, spec, field) => {
    const { stderr } = await patch('edited', spec, BEN)
    expect(stderr).toContain(`"ben@example.com" may not widen ${field} of ApiKey team-web/edited`)
    expect(stderr).toContain('"license:manage"')
  })

  test('needs nothing for what takes away, and the webhook is not called', async () => {
    const before = admission.answers.length
    for (const spec of [
      { permissions: ['license:manage'] },
      { rateLimit: { requests: 6, per: '1m', burst: 1 } },
      { state: 'Revoked' },
    ]) {
      expect((await patch('edited', spec, CARL)).stderr).toBe('')
    }
    expect(admission.answers.length).toBe(before)
  })
})

describe('whoever claims', () => {
  beforeAll(async () => {
    expect((await create(aKey('claimed'), ANA)).stderr).toBe('')
  })

  test('is stamped into the claim', async () => {
    const { stdout } = await create(aClaim('claimed'), ANA)
    expect(readBack(stdout).metadata.annotations?.['keyward.dev/claimant']).toBe('ana@example.com')
  })

  test('must hold what the key asks for', async () => {
    const { stderr } = await create(aClaim('claimed', { name: 'bens' }), BEN)
    expect(stderr).toContain('"ben@example.com" may not claim the credential of ApiKey team-web/claimed')
    expect(stderr).toContain('license:manage (1 of the 2 permissions of this key)')
  })

  test('is told where there is no such key', async () => {
    const { stderr } = await create(aClaim('nobody'), ANA)
    expect(stderr).toContain('spec.apiKey: Invalid value: "nobody": there is no such ApiKey in team-web')
  })
})

describe('beside what is there', () => {
  const aNamespace = (name: string, spec: Fields) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'AccessNamespace',
    metadata: { name },
    spec,
  })
  const anApi = (name: string, host: string) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ProtectedApi',
    metadata: { name, namespace: 'team-web' },
    spec: { environments: [{ name: 'production', hosts: [host] }], routes: [{ path: '/a', permission: 'a:b' }] },
  })

  test('an access namespace needs its parent, and an id of its own', async () => {
    expect((await create(aNamespace('org', { type: 'organization', externalId: 'x' }), ANA)).stderr).toBe('')
    const second = await until('the first one is known', async () => {
      const { stderr } = await create(
        aNamespace('other', { type: 'organization', externalId: 'x' }),
        ANA,
        '--dry-run=server',
      )
      return stderr === '' ? undefined : stderr
    })
    expect(second).toContain('spec.externalId: Invalid value: "x": x is already the organization org')
    const orphan = await create(aNamespace('web', { type: 'workspace', parent: 'nowhere' }), ANA)
    expect(orphan.stderr).toContain('spec.parent: Invalid value: "nowhere": there is no AccessNamespace nowhere')
  })

  test('a host must be granted, and belongs to one API', async () => {
    expect((await create(anApi('first', 'other.example.com'), ANA)).stderr).toContain(
      '"ana@example.com" may not serve this host: other.example.com.',
    )
    expect((await create(anApi('first', 'api.example.com'), ANA)).stderr).toBe('')
    const second = await until('the first one is known', async () => {
      const { stderr } = await create(anApi('second', 'api.example.com'), ANA, '--dry-run=server')
      return stderr === '' ? undefined : stderr
    })
    expect(second).toContain('it already belongs to ProtectedApi team-web/first, which goes on serving it')
  })
})

describe('what only the webhook sees is refused:', () => leftToTheWebhook(() => cluster))
