/** examples/passport, asked sentence by sentence of seeds/passport-api-keys.txt: the special rules. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upstream } from '../../examples/passport/upstream.ts'
import { until } from '../support/until.ts'
import { AT_ONCE_MS, outcome, type RunningExample, startExample } from './example.ts'

const HOST = 'passport.example'

let passport: RunningExample

beforeAll(async () => {
  passport = await startExample({ name: 'passport', upstream, spec: {} })
})
afterAll(() => passport.stop())

const call = async (name: string, method: string, path: string, body?: object) =>
  passport.call(path, { key: await passport.key(name), host: HOST, method, ...(body === undefined ? {} : { body }) })

/** The ids of a list, or why there is none. */
async function listed(name: string, path: string): Promise<readonly string[] | string> {
  const answer = await call(name, 'GET', path)
  return answer.status === 200
    ? (answer.json.items as readonly { id: string }[]).map(({ id }) => id)
    : String(outcome(answer))
}

describe("a workspace's key", () => {
  test('GET /v1/workspacesreturns only the workspace of the namespace of the API key.', async () => {
    expect(await listed('shop-eu-key', '/v1/workspaces')).toEqual(['ws-1'])
  })

  test('GET /v1/appsreturns only the application of the workspace of the namespace of the API key.', async () => {
    expect(await listed('shop-eu-key', '/v1/apps')).toEqual(['app-1'])
  })

  test('GET /v1/organizationsreturns only the organization of the application of the workspace of the namespace of the API key.', async () => {
    expect(await listed('shop-eu-key', '/v1/organizations')).toEqual(['org-1'])
  })
})

describe("a user group's key", () => {
  test('GET /v1/usergroups returns only the user group of the namespace of the API key.', async () => {
    expect(await listed('shop-support-key', '/v1/usergroups')).toEqual(['group-1'])
    expect(await listed('staff-key', '/v1/usergroups')).toEqual(['group-2'])
  })
})

describe("an application user group's key", () => {
  test('GET /v1/appsreturns only the application of the user group of the namespace of the API key.', async () => {
    expect(await listed('shop-support-key', '/v1/apps')).toEqual(['app-1'])
  })

  test('GET /v1/organizationsreturns only the organization of the application of the user group of the namespace of the API key.', async () => {
    expect(await listed('shop-support-key', '/v1/organizations')).toEqual(['org-1'])
  })
})

describe("an organization user group's key", () => {
  test('GET /v1/organizations returns only the organization of the user group of the namespace of the API key.', async () => {
    expect(await listed('staff-key', '/v1/organizations')).toEqual(['org-1'])
    expect(await listed('staff-key', '/v1/apps')).toBe('403 outside_namespace')
  })
})

describe("an application's key", () => {
  test('GET /v1/appsreturns only the application of the namespace of the API key.', async () => {
    expect(await listed('shop-key', '/v1/apps')).toEqual(['app-1'])
  })

  test('GET /v1/organizationsreturns only the organization of the application of the namespace of the API key.', async () => {
    expect(await listed('shop-key', '/v1/organizations')).toEqual(['org-1'])
  })

  describe('CRUDoperations are allowed on all workspaces and application user groups within the application of the namespace of the API key.', () => {
    test.each([
      { list: '/v1/workspaces', own: ['ws-1', 'ws-2'], others: ['ws-3', 'ws-4'] },
      { list: '/v1/usergroups', own: ['group-1'], others: ['group-2'] },
    ])('$list: create, read, list, update, delete', async ({ list, own, others }) => {
      expect(await listed('shop-key', list)).toEqual(own)

      const created = await call('shop-key', 'POST', list, { name: 'Shop Asia' })
      const { id } = created.json as unknown as { id: string }
      const path = `${list}/${id}`
      expect(created.status).toBe(201)
      await until(
        'what was created can be read',
        async () => (await call('shop-key', 'GET', path)).status === 200,
        AT_ONCE_MS,
      )
      expect(new Set(await listed('shop-key', list))).toEqual(new Set([...own, id]))

      for (const one of [id, ...own]) {
        const changed = await call('shop-key', 'PUT', `${list}/${one}`, { name: `${one}, renamed` })
        expect([changed.status, changed.json.name]).toEqual([200, `${one}, renamed`])
      }
      for (const other of others) {
        for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
          const refused = await call('shop-key', method, `${list}/${other}`, { name: 'mine now' })
          expect([method, other, outcome(refused)]).toEqual([method, other, '403 outside_namespace'])
        }
      }

      expect((await call('shop-key', 'DELETE', path)).status).toBe(204)
      expect(declared()).not.toContain(`${id}.json`)
      await until(
        'what was deleted is gone',
        async () => outcome(await call('shop-key', 'GET', path)) === '403 outside_namespace',
        AT_ONCE_MS,
      )
      expect(await listed('shop-key', list)).toEqual(own)
    })

    test.each(['acme-key', 'shop-eu-key', 'shop-support-key', 'staff-key'])(
      '%s creates and deletes nothing',
      async (name) => {
        const before = declared()
        for (const list of ['/v1/workspaces', '/v1/usergroups']) {
          expect(outcome(await call(name, 'POST', list, { name: 'Mine' }))).toBe('403 outside_namespace')
        }
        expect(outcome(await call(name, 'DELETE', '/v1/workspaces/ws-1'))).toBe('403 outside_namespace')
        expect(outcome(await call(name, 'DELETE', '/v1/usergroups/group-1'))).toBe('403 outside_namespace')
        expect(declared()).toEqual(before)
      },
    )
  })
})

const declared = () => {
  const folder = join(passport.keyward.manifests, 'created')
  return existsSync(folder) ? readdirSync(folder) : []
}

/** The whole table: what each type of key sees of each list. */
describe.each([
  { name: 'acme-key', workspaces: 'no', usergroups: 'no', apps: 'no', organizations: ['org-1'] },
  {
    name: 'shop-key',
    workspaces: ['ws-1', 'ws-2'],
    usergroups: ['group-1'],
    apps: ['app-1'],
    organizations: ['org-1'],
  },
  { name: 'shop-eu-key', workspaces: ['ws-1'], usergroups: 'no', apps: ['app-1'], organizations: ['org-1'] },
  { name: 'shop-support-key', workspaces: 'no', usergroups: ['group-1'], apps: ['app-1'], organizations: ['org-1'] },
  { name: 'staff-key', workspaces: 'no', usergroups: ['group-2'], apps: 'no', organizations: ['org-1'] },
])('$name', ({ name, ...table }) => {
  test.each(Object.entries(table))('of /v1/%s sees %j', async (list, ids) => {
    expect(await listed(name, `/v1/${list}`)).toEqual(ids === 'no' ? '403 outside_namespace' : ids)
  })
})

describe('a list is narrowed whatever the caller asks', () => {
  test.each([
    ['/v1/apps?id=app-1', 200],
    ['/v1/apps?id=app-2', '400 ambiguous_request'],
    ['/v1/apps?id=app-1,app-2', '400 ambiguous_request'],
    ['/v1/apps?id=app-1&id=app-2', '400 ambiguous_request'],
    ['/v1/apps?ID=app-2', '400 ambiguous_request'],
    ['/v1/apps?%69d=app-2', '400 ambiguous_request'],
    ['/v1/workspaces?id=ws-3', 200],
  ])('%s: %s', async (path, wanted) => {
    const answer = await call('shop-eu-key', 'GET', path)
    expect(outcome(answer)).toBe(wanted)
    expect(answer.text).not.toMatch(/app-2|ws-3/)
  })

  test('the upstream holds more, and only this is let through', async () => {
    const answer = await call('shop-key', 'GET', '/v1/workspaces')
    expect(answer.json).toEqual({
      items: [
        { id: 'ws-1', name: expect.any(String), app: 'app-1' },
        { id: 'ws-2', name: expect.any(String), app: 'app-1' },
      ],
    })
    expect(answer.headers['cache-control']).toBe('private')
  })
})
