/** examples/passport, asked sentence by sentence of seeds/passport-api-keys.txt: how far keys get. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { upstream } from '../../examples/passport/upstream.ts'
import { outcome, type RunningExample, startExample } from './example.ts'

const PASSPORT = 'passport.example'
const DOCUMENTS = 'documents.example'

let passport: RunningExample

beforeAll(async () => {
  passport = await startExample({
    name: 'passport',
    upstream,
    spec: {
      accessNamespace: 'shop-eu',
      environment: 'production',
      permissions: ['workspace:read', 'app:read', 'organization:read'],
    },
  })
})
afterAll(() => passport.stop())

const get = (key: string | undefined, path = '/v1/workspaces', host = PASSPORT) => passport.call(path, { key, host })

test('API keys are restricted to a particular namespace.', async () => {
  const key = await passport.newKey('in-shop-eu')
  expect(outcome(await get(key, '/v1/workspaces/ws-1'))).toBe(200)
  expect(outcome(await get(key, '/v1/workspaces/ws-2'))).toBe('403 outside_namespace')

  await passport.refused(passport.declare('in-shop-eu', { accessNamespace: 'shop-us' }), 'spec.accessNamespace')
  expect(outcome(await get(key, '/v1/workspaces/ws-1'))).toBe(200)
  expect(outcome(await get(key, '/v1/workspaces/ws-2'))).toBe('403 outside_namespace')
})

test('The namespace can be any organization, application, workspace or user group namespace.', async () => {
  const namespaceOf = async (name: string) => {
    const { json } = await get(await passport.key(name), '/v1/whoami')
    return `${String(json['x-keyward-namespace-type'])} ${String(json['x-keyward-namespace'])}`
  }
  expect(await namespaceOf('acme-key')).toBe('organization org-1')
  expect(await namespaceOf('shop-key')).toBe('application app-1')
  expect(await namespaceOf('shop-eu-key')).toBe('workspace ws-1')
  expect(await namespaceOf('shop-support-key')).toBe('userGroup group-1')
  expect(await namespaceOf('staff-key')).toBe('userGroup group-2')
})

test.each([
  ['acme-key', ['organizations/org-1']],
  ['shop-key', ['organizations/org-1', 'apps/app-1', 'workspaces/ws-1', 'workspaces/ws-2', 'usergroups/group-1']],
  ['shop-eu-key', ['organizations/org-1', 'apps/app-1', 'workspaces/ws-1']],
  ['shop-support-key', ['organizations/org-1', 'apps/app-1', 'usergroups/group-1']],
  ['staff-key', ['organizations/org-1', 'usergroups/group-2']],
])('of all that there is, %s gets to %j', async (name, reached) => {
  const key = await passport.key(name)
  const answers = await Promise.all(EVERYTHING.map((resource) => get(key, `/v1/${resource}`)))
  expect(EVERYTHING.filter((_, i) => answers[i]?.status === 200)).toEqual(reached)
  const refused = answers.filter(({ status }) => status !== 200)
  expect(new Set(refused.map(outcome))).toEqual(new Set(['403 outside_namespace']))
})

const EVERYTHING = [
  ...['organizations/org-1', 'organizations/org-2', 'apps/app-1', 'apps/app-2', 'apps/app-3'],
  ...['workspaces/ws-1', 'workspaces/ws-2', 'workspaces/ws-3', 'workspaces/ws-4'],
  ...['usergroups/group-1', 'usergroups/group-2', 'workspaces/ws-none'],
]

test('Users of the API key have access only to resources within the particular namespace.', async () => {
  const documents = [
    ...['workspaces/ws-1', 'workspaces/ws-2', 'apps/app-1', 'apps/app-2'],
    ...['organizations/org-1', 'organizations/org-2', 'usergroups/group-1', 'usergroups/group-2'],
  ]
  const reached = async (name: string) => {
    const key = await passport.key(name)
    const answers = await Promise.all(documents.map((of) => get(key, `/v1/${of}/documents`, DOCUMENTS)))
    return documents.filter((_, i) => answers[i]?.status === 200)
  }
  expect(await reached('acme-key')).toEqual(['organizations/org-1'])
  expect(await reached('shop-key')).toEqual(['apps/app-1'])
  expect(await reached('shop-eu-key')).toEqual(['workspaces/ws-1'])
  expect(await reached('shop-support-key')).toEqual(['usergroups/group-1'])
  expect(await reached('staff-key')).toEqual(['usergroups/group-2'])
})

test('Multiple API keys for the same namespace can be created.', async () => {
  const namespaceOf = async (key: string) => (await get(key, '/v1/whoami')).json['x-keyward-workspace']
  const keys = [await passport.newKey('same-1'), await passport.newKey('same-2')]
  expect(await Promise.all(keys.map(namespaceOf))).toEqual(['ws-1', 'ws-1'])
})

test('A platform application is not required (like user access keys), but access to at least one namespace is required.', async () => {
  // an organization's key: no application anywhere on its way up
  const { json } = await get(await passport.key('acme-key'), '/v1/whoami')
  expect([json['x-keyward-organization'], json['x-keyward-application']]).toEqual(['org-1', ''])

  await passport.refused(passport.declare('nowhere', { accessNamespace: undefined }), 'spec.accessNamespace')
  expect(passport.keyward.keys().filter(({ name }) => name === 'nowhere')).toEqual([])
})

test('Note: Namespaces are not nested or hierarchical.', async () => {
  const organization = await passport.key('acme-key')
  for (const path of ['/v1/apps/app-1', '/v1/workspaces/ws-1', '/v1/usergroups/group-1', '/v1/usergroups/group-2']) {
    expect([path, outcome(await get(organization, path))]).toEqual([path, '403 outside_namespace'])
  }
})

test('For example, granting access to an application namespace does not grant access to workspace namespaces, even though the workspace is within the application.', async () => {
  const [application, workspace] = [await passport.key('shop-key'), await passport.key('shop-eu-key')]
  const path = '/v1/workspaces/ws-1/documents'
  expect(outcome(await get(application, path, DOCUMENTS))).toBe('403 outside_namespace')
  expect(outcome(await get(workspace, path, DOCUMENTS))).toBe(200)
})

test('Some Passport Service resources behave differently.', async () => {
  const application = await passport.key('shop-key')
  expect(outcome(await get(application, '/v1/workspaces/ws-1'))).toBe(200)
  expect(outcome(await get(application, '/v1/workspaces/ws-1/documents', DOCUMENTS))).toBe('403 outside_namespace')
})
