/** The proof from the audit log objects to what it is there for, and to nothing else. */
import { describe, expect, test } from 'vitest'
import { AUTHZ, OPERATOR, strayed } from '../support/audit.ts'

type Written = {
  readonly user?: string
  readonly verb: string
  readonly uri: string
  readonly ref?: Readonly<Record<string, string>>
  /** By RBAC. */
  readonly denied?: true
  /** By admission. */
  readonly refused?: true
}

const line = ({ user = OPERATOR, verb, uri, ref, denied, refused }: Written): string =>
  JSON.stringify({
    ...{ stage: 'ResponseComplete', verb, requestURI: uri, user: { username: user }, objectRef: ref },
    responseStatus: { code: denied === undefined && refused === undefined ? 200 : 403 },
    annotations: { 'authorization.k8s.io/decision': denied === undefined ? 'allow' : 'forbid' },
  })

const secrets = (namespace: string, name?: string) => ({
  uri: `/api/v1/namespaces/${namespace}/secrets`,
  ref: { resource: 'secrets', namespace, ...(name === undefined ? {} : { name }) },
})

const found = (...written: readonly Written[]) => strayed(written.map(line))

describe('the proof objects to', () => {
  test.each<[string, Written, string]>([
    [
      'a Secret that is listed elsewhere, allowed or not',
      { verb: 'list', ...secrets('team') },
      'keyward-operator list secrets team',
    ],
    [
      'one that is read by its name',
      { user: AUTHZ, verb: 'get', ...secrets('team', 'db') },
      'keyward-authz get secrets team/db',
    ],
    [
      'all Secrets of the cluster',
      { verb: 'watch', uri: '/api/v1/secrets?watch=true', ref: { resource: 'secrets' } },
      'keyward-operator watch secrets',
    ],
    [
      "authz at the operator's own Secrets",
      { user: AUTHZ, verb: 'get', ...secrets('keyward-operator', 'keyward-stamp-key') },
      'keyward-authz get secrets keyward-operator/keyward-stamp-key',
    ],
    [
      'what was denied and is given by no role',
      { verb: 'delete', denied: true, ...secrets('team', 'db') },
      'keyward-operator delete secrets team/db',
    ],
    [
      "a write of somebody else's Secret that a policy refused",
      { verb: 'patch', refused: true, ...secrets('team', 'db') },
      'keyward-operator patch secrets team/db',
    ],
    ['a path that was denied', { verb: 'get', uri: '/metrics', denied: true }, 'keyward-operator get /metrics'],
  ])('%s', async (_what, written, said) => {
    expect(await found(written)).toEqual([said])
  })
})

describe('the proof has nothing against', () => {
  test.each<[string, Written]>([
    ['Secrets of its own', { verb: 'list', ...secrets('keyward-system') }],
    ['making one for a workload', { verb: 'create', ...secrets('team') }],
    ['looking at one for a workload', { verb: 'patch', ...secrets('team', 'mine') }],
    [
      'what is given and was denied for a moment, as an API server does that starts',
      {
        verb: 'list',
        uri: '/apis/keyward.dev/v1alpha1/apikeys?limit=500',
        ref: { resource: 'apikeys' },
        denied: true,
      },
    ],
    [
      'a write for a workload that was denied for such a moment',
      { verb: 'patch', denied: true, ...secrets('team', 'mine') },
    ],
    ['what others are denied', { user: 'ana@example.com', verb: 'list', denied: true, ...secrets('team') }],
  ])('%s', async (_what, written) => {
    expect(await found(written)).toEqual([])
  })

  test('what a test says that it expects', async () => {
    const log = [line({ verb: 'delete', denied: true, ...secrets('team', 'db') })]
    expect(await strayed(log, [/delete secrets team\/db$/])).toEqual([])
  })
})
