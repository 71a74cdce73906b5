/** What ClusterRoles and their bindings give of access namespaces, read as the API server's own RBAC reads them. */
import { describe, expect, test } from 'vitest'
import { bindingOf, grantRules, mayGrant, sameRights, subjectKey, subjectKeys } from '../../src/resources/rights.ts'

const aRule = (rule: object = {}) => ({
  apiGroups: ['keyward.dev'],
  resources: ['accessnamespaces/permissions'],
  verbs: ['a:read'],
  ...rule,
})

const may = (rule: object, permission: string, accessNamespace: string | undefined): boolean =>
  mayGrant(new Set([grantRules([aRule(rule)])]), { permission, accessNamespace })

describe('a rule gives', () => {
  test.each<[string, object, string, string | undefined, boolean]>([
    ['its permission on every access namespace', {}, 'a:read', 'acme', true],
    ['its permission without a name', {}, 'a:read', undefined, true],
    ['no other permission', {}, 'a:write', 'acme', false],
    ['every permission by a star', { verbs: ['*'] }, 'b:read', 'acme', true],
    ['what it names', { resourceNames: ['acme'] }, 'a:read', 'acme', true],
    ['nothing that it does not name', { resourceNames: ['acme'] }, 'a:read', 'globex', false],
    ['not everything, if it names something', { resourceNames: ['acme'] }, 'a:read', undefined, false],
    ['it for all groups', { apiGroups: ['', '*'] }, 'a:read', 'acme', true],
    ['it for all resources', { resources: ['*'] }, 'a:read', 'acme', true],
    ['it for this subresource of all', { resources: ['*/permissions'] }, 'a:read', 'acme', true],
    ['nothing for access namespaces themselves', { resources: ['accessnamespaces'] }, 'a:read', 'acme', false],
    [
      'nothing for their status',
      { resources: ['accessnamespaces/*', 'accessnamespaces/status'] },
      'a:read',
      'a',
      false,
    ],
    ['nothing for another group', { apiGroups: ['example.com'] }, 'a:read', 'acme', false],
    ['nothing without verbs', { verbs: [] }, 'a:read', 'acme', false],
  ])('%s', (_what, rule, permission, accessNamespace, expected) => {
    expect(may(rule, permission, accessNamespace)).toBe(expected)
  })

  test.each([undefined, null, 'rules', [null], [{}], [{ apiGroups: 'keyward.dev' }]])(
    'nothing if it is %j',
    (rules) => {
      expect(grantRules(rules)).toEqual([])
    },
  )
})

test('a binding is read with its subjects, and one to nothing that we know gives nothing', () => {
  const subjects = [
    { kind: 'User', name: 'ana' },
    { kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' },
    { kind: 'Group' },
    null,
  ]
  expect(bindingOf({ roleRef: { kind: 'ClusterRole', name: 'writer' }, subjects })).toEqual({
    role: 'writer',
    subjects: [
      { kind: 'User', name: 'ana', namespace: undefined },
      { kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' },
    ],
  })
  expect(bindingOf({ roleRef: { kind: 'Role', name: 'writer' } })).toEqual({ role: '', subjects: [] })
})

test('somebody is a user, each of their groups, and the ServiceAccount whose name it is', () => {
  const deployer = { username: 'system:serviceaccount:ci:deployer', groups: ['system:serviceaccounts'] }
  expect(subjectKeys(deployer)).toEqual([
    subjectKey({ kind: 'User', name: deployer.username }),
    subjectKey({ kind: 'Group', name: 'system:serviceaccounts' }),
    subjectKey({ kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' }),
  ])
  expect(subjectKeys({ username: 'ana', groups: [] })).toHaveLength(1)
})

test('rights are the same as long as they come from the same rules', () => {
  const [some, others] = [grantRules([aRule()]), grantRules([aRule({ verbs: ['b:read'] })])]
  expect(sameRights(new Set([some, others]), new Set([others, some]))).toBe(true)
  expect(sameRights(new Set([some]), new Set([others]))).toBe(false)
  expect(sameRights(new Set([some]), new Set([some, others]))).toBe(false)
})
