/** Who may do what: Keyward's own accounts no more than is written down, and people what docs/rbac.md says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { ownAccounts } from './own-accounts.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/rbac.md'), 'utf8')
/** Every manifest of the page, in its order. */
const EXAMPLES = [...PAGE.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster()
  for (const name of ['team-web', 'argocd']) {
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } })
  }
})

ownAccounts(() => cluster, PAGE)

type Role = {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly rules: readonly { readonly resources?: readonly string[] }[]
  readonly aggregationRule?: {
    readonly clusterRoleSelectors: readonly { matchLabels: Readonly<Record<string, string>> }[]
  }
}

describe('the roles for people', () => {
  let roles: readonly Role[]
  const ours = () => roles.filter(({ metadata }) => /^keyward-(view|edit|claim)$/.test(metadata.name))

  beforeAll(async () => {
    const { body } = await cluster.request('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles')
    roles = (body as { items: readonly Role[] }).items
  })

  test.each([
    ['view', ['keyward-view']],
    ['edit', ['keyward-edit', 'keyward-view']],
    ['admin', ['keyward-edit', 'keyward-view']],
  ])('of Kubernetes, %s takes in %j', (name, taken) => {
    const selectors = roles.find(({ metadata }) => metadata.name === name)?.aggregationRule?.clusterRoleSelectors ?? []
    const isTaken = ({ metadata: { labels = {} } }: Role) =>
      selectors.some(({ matchLabels }) =>
        Object.entries(matchLabels).every(([label, value]) => labels[label] === value),
      )
    const names = ours()
      .filter(isTaken)
      .map(({ metadata }) => metadata.name)
    expect(names.sort()).toEqual(taken)
  })

  test('give no status, no Secret, nothing to grant and no host', () => {
    const resources = new Set(ours().flatMap(({ rules }) => rules.flatMap((rule) => rule.resources ?? [])))
    expect(resources).toEqual(new Set(['apikeys', 'apikeyclaims', 'protectedapis']))
  })
})

const ANA = { user: 'ana@example.com', groups: ['web-developers'] }
const OLE = { user: 'ole@example.com', groups: ['web-operations'] }
const PIA = { user: 'pia@example.com', groups: ['platform'] }
const DORA = { user: 'dora@example.com' }

type Who = { readonly user: string; readonly groups?: readonly string[] }
type Fields = Readonly<Record<string, unknown>>

describe('docs/rbac.md', () => {
  beforeAll(async () => {
    expect(EXAMPLES.length).toBeGreaterThan(5)
    await cluster.apply(EXAMPLES.join('---\n'))
    await cluster.apply(`
{apiVersion: keyward.dev/v1alpha1, kind: AccessNamespace, metadata: {name: acme}, spec: {type: organization}}
---
{apiVersion: keyward.dev/v1alpha1, kind: AccessNamespace, metadata: {name: acme-web}, spec: {type: application, parent: acme}}
---
{apiVersion: keyward.dev/v1alpha1, kind: AccessNamespace, metadata: {name: acme-web-eu}, spec: {type: workspace, parent: acme-web}}
`)
  })

  const BOTH = ['customer:read', 'license:manage']
  const aKey = (name: string, permissions: readonly string[], spec: Fields = {}) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKey',
    metadata: { name, namespace: 'team-web' },
    spec: { accessNamespace: 'acme-web-eu', environment: 'production', permissions, ...spec },
  })
  const aClaim = (apiKey: string) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKeyClaim',
    metadata: { name: `of-${apiKey}`, namespace: 'team-web' },
    spec: { apiKey, publicJwk: { kty: 'EC', crv: 'P-256', x: 'a'.repeat(43), y: 'b'.repeat(43) } },
  })
  const anApi = (...hosts: string[]) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ProtectedApi',
    metadata: { name: 'shop', namespace: 'team-web' },
    spec: { environments: [{ name: 'production', hosts }], routes: [{ path: '/a', permission: 'customer:read' }] },
  })
  /** '' where it is done, else what was said. */
  const create = async (object: object, as: Who, ...flags: readonly string[]): Promise<string> =>
    (await cluster.kubectl(['create', '-f', '-', ...flags], { as, input: JSON.stringify(object) })).stderr
  const DRY = '--dry-run=server'

  test('granting: the permissions of the role and no other, on its access namespace and no other', async () => {
    expect(await create(aKey('main', BOTH), ANA)).toBe('')
    expect(await create(aKey('more', [...BOTH, 'customer:write']), ANA, DRY)).toContain(
      'may not grant this in access namespace acme-web-eu: customer:write (1 of the 3 permissions of this key)',
    )
    expect(await create(aKey('above', BOTH, { accessNamespace: 'acme-web' }), ANA, DRY)).toContain(
      'may not grant this in access namespace acme-web: customer:read, license:manage',
    )
  })

  test('granting: a RoleBinding gives nothing, in its own Kubernetes namespace neither', async () => {
    for (const role of ['acme-web-eu-grants', 'keyward-edit']) {
      const args = [
        'create',
        'rolebinding',
        `dora-${role}`,
        '-n',
        'team-web',
        `--clusterrole=${role}`,
        '--user=dora@example.com',
      ]
      expect((await cluster.kubectl(args)).stderr).toBe('')
    }
    expect(await create(aKey('doras', ['customer:read']), DORA, DRY)).toContain(
      'may not grant this in access namespace acme-web-eu: customer:read',
    )
  })

  test('granting: kubectl says whether one may', async () => {
    const [, command = ''] = /`kubectl (auth can-i \S+ \S+ \S+)` says/.exec(PAGE) ?? []
    expect((await cluster.kubectl(command.split(' '), { as: ANA })).stdout).toBe('yes\n')
    expect((await cluster.kubectl(command.split(' '), { as: PIA })).stdout).toBe('no\n')
  })

  test('granting: who writes roles gives no more than they hold', async () => {
    await cluster.kubectl(['create', 'clusterrole', 'writes-roles', '--verb=create', '--resource=clusterroles'])
    await cluster.kubectl([
      'create',
      'clusterrolebinding',
      'writes-roles',
      '--clusterrole=writes-roles',
      '--user=ana@example.com',
    ])
    const role = (verb: string) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'anas' },
      rules: [
        {
          ...{ apiGroups: ['keyward.dev'], resources: ['accessnamespaces/permissions'] },
          ...{ resourceNames: ['acme-web-eu'], verbs: [verb] },
        },
      ],
    })
    expect(await create(role('customer:read'), ANA, DRY)).toBe('')
    expect(await create(role('customer:write'), ANA, DRY)).toContain(
      'attempting to grant RBAC permissions not currently held',
    )
  })

  test('managing: what takes away needs no right to grant, what widens needs all', async () => {
    const patch = async (spec: Fields) => {
      const args = ['patch', 'apikey', 'main', '-n', 'team-web', '--type=merge', DRY, '-p', JSON.stringify({ spec })]
      return (await cluster.kubectl(args, { as: DORA })).stderr
    }
    expect(await patch({ permissions: ['customer:read'] })).toBe('')
    expect(await patch({ state: 'Revoked' })).toBe('')
    expect(await patch({ regenerate: 1 })).toContain('may not widen spec.regenerate of ApiKey team-web/main')
  })

  test('who made a key, and nobody else, says where its credential goes', async () => {
    expect(await create(aKey('anas', ['customer:read']), ANA)).toBe('')
    const deliver = async (secretName: string | null, as?: typeof ANA) => {
      const delivery = secretName === null ? null : { secretName }
      const patch = JSON.stringify({ spec: { delivery } })
      const args = ['patch', 'apikey', 'anas', '-n', 'team-web', '--type=merge', '-p', patch]
      return (await cluster.kubectl(args, as === undefined ? {} : { as })).stderr
    }
    // an administrator may grant everything, and would not be who caps the key
    expect(await deliver('mine')).toContain('only who made this key may say where its credential goes')
    expect(await deliver('anas-key', ANA)).toBe('')
    expect(await deliver('mine')).toContain('only who made this key may say where its credential goes')
    expect(await deliver(null)).toBe('')
  })

  test('claiming: with the role and what the key asks for, and nothing but that', async () => {
    expect(await create(aKey('small', ['customer:read']), ANA)).toBe('')
    expect(await create(aClaim('small'), OLE, DRY)).toBe('')
    expect(await create(aClaim('main'), OLE, DRY)).toContain(
      '"ole@example.com" may not claim the credential of ApiKey team-web/main, since they may not grant this in access namespace acme-web-eu: license:manage (1 of the 2 permissions of this key)',
    )
    expect(await create(aKey('oles', ['customer:read']), OLE, DRY)).toContain('cannot create resource "apikeys"')
  })

  test('serving: hosts as they are written in the role', async () => {
    expect(await create(anApi('api.example.com', '*.dev.example.com'), ANA, DRY)).toBe('')
    expect(await create(anApi('a.dev.example.com'), ANA, DRY)).toContain('may not serve this host: a.dev.example.com')
    expect(await create(anApi('api.example.com'), DORA, DRY)).toContain('may not serve this host: api.example.com')
  })

  test('access namespaces: kept by some, seen by all', async () => {
    const child = {
      ...{ apiVersion: 'keyward.dev/v1alpha1', kind: 'AccessNamespace', metadata: { name: 'acme-web-us' } },
      spec: { type: 'workspace', parent: 'acme-web' },
    }
    expect(await create(child, PIA, DRY)).toBe('')
    expect(await create(child, ANA, DRY)).toContain('cannot create resource "accessnamespaces"')
    const groups = [...ANA.groups, 'system:authenticated']
    expect((await cluster.kubectl(['get', 'accessnamespaces', '-o', 'name'], { as: { ...ANA, groups } })).stderr).toBe(
      '',
    )
  })

  test('GitOps: the controller grants what it applies, and claims nothing', async () => {
    const serviceAccount = await cluster.serviceAccount('argocd-application-controller', 'argocd')
    const apply = async (object: object) =>
      (await cluster.kubectl(['apply', '-f', '-'], { serviceAccount, input: JSON.stringify(object) })).stderr
    expect(await apply(aKey('from-git', [...BOTH, 'telemetry:write']))).toBe('')
    expect(await apply(aClaim('from-git'))).toContain('apikeyclaims')
    expect(await create(aClaim('from-git'), ANA, DRY)).toContain('telemetry:write (1 of the 3 permissions of this key)')
  })

  test('a refusal reads as the page shows it', async () => {
    const [, shown = ''] = /^```text\n([\s\S]*?)^```$/m.exec(PAGE) ?? []
    expect(await create(aKey('more', [...BOTH, 'customer:write', 'telemetry:write']), ANA)).toBe(shown)
  })
})
