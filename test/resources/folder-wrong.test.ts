/** A folder that is wrong in more than thirty ways: each is named with file, line and field, and the rest of it works. */
import { describe, expect, test } from 'vitest'
import { secretOf } from '../../src/core/credential.ts'
import type { Snapshot } from '../../src/folder/manifests.ts'
import { aCredential } from '../support/make.ts'
import { aManifestFolder, apiText, inForce, keyText, namespaceText, open } from '../support/manifest-folder.ts'

const route = (fields: object) =>
  apiText('a', ['w.example.com'], {
    routes: [
      { path: '/ok', permission: 'a:b' },
      { path: '/v1/x', ...fields },
    ],
  })

const PLAIN = aCredential()
const DIGEST = `sha256:${'a'.repeat(64)}`

/** Document, line of the mistake, field of the mistake. */
const WRONG: readonly (readonly [what: string, text: string, line: number, field: string])[] = [
  ['text that is no YAML', 'kind: ApiKey\nspec: [\n', 3, ''],
  ['a tab for indentation', 'kind: ApiKey\nmetadata:\n\tname: a\n', 3, ''],
  ['a field written twice', `${keyText('a')}  environment: staging\n`, 8, ''],
  ['a list in the place of a manifest', '- apiVersion: keyward.dev/v1alpha1\n', 1, ''],
  ['no kind', keyText('a').replace('kind: ApiKey\n', ''), 1, 'kind'],
  ['an unknown kind', keyText('a').replace('ApiKey', 'ApiKeyz'), 2, 'kind'],
  ['an unknown version', keyText('a').replace('v1alpha1', 'v2'), 1, 'apiVersion'],
  ["another group's object", 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n', 1, 'apiVersion'],
  [
    'a claim, which does not belong in a folder',
    'apiVersion: keyward.dev/v1alpha1\nkind: ApiKeyClaim\nmetadata: {name: a}\nspec: {}\n',
    2,
    'kind',
  ],
  ['no name', keyText('a').replace('{"name":"a"}', '{}'), 3, 'metadata.name'],
  ['a name in capitals', keyText('Main'), 3, 'metadata.name'],
  ['a plaintext key as name', keyText(PLAIN.text), 3, 'metadata.name'],
  ['a misspelt field', keyText('a', { permission: ['a:b'] }), 8, 'spec.permission'],
  ['an environment that is none', keyText('a', { environment: 'prod' }), 6, 'spec.environment'],
  ['a permission that is none', keyText('a', { permissions: ['a:b', 'Customer'] }), 7, 'spec.permissions[1]'],
  ['no permissions', keyText('a', { permissions: [] }), 7, 'spec.permissions'],
  ['a permission twice', keyText('a', { permissions: ['a:b', 'a:b'] }), 7, 'spec.permissions'],
  ['an empty list of customers', keyText('a', { customers: [] }), 8, 'spec.customers'],
  ['an expiry without a time', keyText('a', { expiresAt: '2027-03-01' }), 8, 'spec.expiresAt'],
  ['an expiry in the past', keyText('a', { expiresAt: '2001-01-01T00:00:00Z' }), 8, 'spec.expiresAt'],
  ['a rate of nothing', keyText('a', { rateLimit: { requests: 0, per: '1m' } }), 8, 'spec.rateLimit.requests'],
  ['a rate per fortnight', keyText('a', { rateLimit: { requests: 1, per: '2w' } }), 8, 'spec.rateLimit.per'],
  ['a quota per year', keyText('a', { quota: { requests: 1, per: 'year' } }), 8, 'spec.quota.per'],
  ['an address block with host bits', keyText('a', { allowedCIDRs: ['10.0.0.1/8'] }), 8, 'spec.allowedCIDRs[0]'],
  ['a state that is none', keyText('a', { state: 'Paused' }), 8, 'spec.state'],
  [
    'a plaintext key as digest',
    keyText('a', { delivery: { digest: PLAIN.text, keyId: 'kw_prod_4fQ0Zp8sLm2T' } }),
    8,
    'spec.delivery.digest',
  ],
  ['a digest without its key ID', keyText('a', { delivery: { digest: DIGEST } }), 8, 'spec.delivery.keyId'],
  ['a rotation of a key that is claimed', keyText('a', { rotation: { every: '720h' } }), 8, 'spec.rotation'],
  ['an organization with a parent', namespaceText('a', { type: 'organization', parent: 'acme' }), 6, 'spec.parent'],
  ['an application without one', namespaceText('a', { type: 'application' }), 4, 'spec.parent'],
  ['a parent that is not there', namespaceText('a', { type: 'application', parent: 'nobody' }), 6, 'spec.parent'],
  ['a parent of the wrong type', namespaceText('a', { type: 'workspace', parent: 'acme' }), 6, 'spec.parent'],
  [
    'an external id that is taken',
    namespaceText('a', { type: 'organization', externalId: 'acme' }),
    6,
    'spec.externalId',
  ],
  [
    'an external id with a comma',
    namespaceText('a', { type: 'organization', externalId: 'a,b' }),
    6,
    'spec.externalId',
  ],
  ['a host with a port', apiText('a', ['w.example.com:443']), 5, 'spec.environments[0].hosts[0]'],
  ['a route that asks for two things', route({ permission: 'a:b', public: true }), 6, 'spec.routes[1]'],
  ['a route that asks for nothing', route({}), 6, 'spec.routes[1]'],
  ['a method that is none', route({ permission: 'a:b', methods: ['FETCH'] }), 6, 'spec.routes[1].methods[0]'],
  ['two routes that could tie', route({ permission: 'a:b', path: '/ok' }), 6, 'spec.routes[1].path'],
  [
    'reach without a resource',
    route({ permission: 'a:b', reach: { workspace: 'within' } }),
    6,
    'spec.routes[1].resource',
  ],
  [
    'an id that the path does not have',
    route({ permission: 'a:b', resource: 'workspace', id: 'id', reach: { workspace: 'lineage' } }),
    6,
    'spec.routes[1].id',
  ],
]

// several wrong documents in one file as well, so that lines are counted over documents
const SHARED = [
  'w/shared.yaml',
  [keyText('s1', { state: 'Paused' }), keyText('s2'), keyText('s3', { state: 'Off' })],
] as const

const fileOf = (i: number) => `w/${String(i).padStart(2, '0')}.yaml`

let once: Promise<Snapshot> | undefined

/** The whole folder, judged once for all tests of this file. */
function judged(): Promise<Snapshot> {
  const files = WRONG.map(([, text], i) => [fileOf(i), text.replaceAll('"a"', `"a${i}"`)] as const)
  once ??= open(
    aManifestFolder({
      'good.yaml': [namespaceText('acme'), keyText('main'), apiText('main', ['api.example.com'])],
      [SHARED[0]]: SHARED[1],
      ...Object.fromEntries(files),
    }),
  ).rescan()
  return once
}

const errorsIn = async (name: string) =>
  (await judged()).problems.filter(({ file, severity }) => file === name && severity === 'error')

describe('each mistake is named by file, line and field, and by nothing else', () => {
  test.each(WRONG.map((row, i) => [...row, i] as const))('%s', async (_what, _text, line, field, i) => {
    const found = await errorsIn(fileOf(i))
    expect(found.map((problem) => [problem.line, problem.field])).toEqual([[line, field]])
    expect(found[0]?.message.length).toBeGreaterThan(10)
  })
})

test('lines are counted over all documents of a file', async () => {
  const found = await errorsIn('w/shared.yaml')
  expect(found.map(({ line, field, object }) => [line, field, object])).toEqual([
    [8, 'spec.state', 'ApiKey default/s1'],
    [25, 'spec.state', 'ApiKey default/s3'],
  ])
})

test('the rest of the folder works', async () => {
  expect(inForce(await judged())).toEqual([
    'AccessNamespace//acme',
    'ApiKey/default/main',
    'ApiKey/default/s2',
    'ProtectedApi/default/main',
  ])
})

test('nothing that could be a secret is shown', async () => {
  expect(JSON.stringify((await judged()).problems)).not.toContain(secretOf(PLAIN))
})
