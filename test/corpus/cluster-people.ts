/** Cases about who makes a key: never more than they hold, known to be them, and no status that anybody else writes. */
import { expect } from 'vitest'
import { editKey, getKey, untilReady } from '../support/cluster-keys.ts'
import { until } from '../support/until.ts'
import {
  aKey,
  type ClusterCase,
  type ClusterWorld,
  create,
  EDITOR,
  expectAbsent,
  KEYS,
  keyInForce,
  messageOf,
  TEAM,
} from './cluster-world.ts'

type Made = { readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> } }

const createAs = (
  { cluster }: ClusterWorld,
  object: object,
  who: { readonly serviceAccount: string } | typeof EDITOR,
) =>
  cluster.kubectl(['create', '-f', '-', '-o', 'json'], {
    input: JSON.stringify(object),
    ...('user' in who ? { as: who } : who),
  })

const creatorOf = (made: unknown): string | undefined => (made as Made).metadata.annotations?.['keyward.dev/creator']

const FORGED = { 'keyward.dev/creator': 'kubernetes-admin', 'keyward.dev/creator-stamp': 'v1.e30.AAAA' }

const patchStatus = ({ cluster }: ClusterWorld, name: string, status: object) =>
  cluster.request('PATCH', `${KEYS}/${name}/status`, { status }, 'application/merge-patch+json')

/** Nobody but the operator has it: the roles for people name no status at all. */
async function refusedTheStatus({ cluster }: ClusterWorld, name: string, status: object): Promise<void> {
  const args = ['patch', 'apikey', name, '-n', TEAM, '--subresource=status', '--type=merge', '-p']
  const { stderr } = await cluster.kubectl([...args, JSON.stringify({ status })], { as: EDITOR })
  expect(stderr).toMatch(/"editor@example\.com" cannot (get|patch) resource "apikeys\/status"/)
}

export const PEOPLE: Readonly<Record<string, ClusterCase>> = {
  'CRD-perm-star': async (world) => {
    const star = await create(world, aKey('star', { permissions: ['*'] }))
    expect([star.status, messageOf(star)]).toEqual([422, expect.stringContaining('spec.permissions[0]')])
    const { stderr } = await createAs(world, aKey('star', { permissions: ['thing:read', 'admin:all'] }), EDITOR)
    expect(stderr).toContain('(Forbidden)')
    expect(stderr).toContain(
      '"editor@example.com" may not create ApiKey team-a/star, since they may not grant this in access namespace acme: admin:all (1 of the 2 permissions of this key).',
    )
    await expectAbsent(world, 'star')
  },
  'CRD-perm-via-sa': async (world) => {
    // impersonated: who is stood for counts, not the administrator who stands for them
    const impersonated = await createAs(world, aKey('impersonated'), EDITOR)
    expect(creatorOf(JSON.parse(impersonated.stdout))).toBe('editor@example.com')
    // a controller that applies what lies in Git
    const serviceAccount = await world.cluster.serviceAccount('controller', TEAM)
    const { stdout, stderr } = await createAs(world, aKey('from-git'), { serviceAccount })
    expect([stderr, creatorOf(JSON.parse(stdout))]).toEqual(['', 'system:serviceaccount:team-a:controller'])
    const more = await createAs(world, aKey('more', { permissions: ['thing:write'] }), { serviceAccount })
    expect(more.stderr).toContain('"system:serviceaccount:team-a:controller" may not create ApiKey team-a/more')
    const told = await untilReady(world.cluster, `${TEAM}/from-git`, 'AwaitingClaim')
    expect(told.status).toMatchObject({ createdBy: { username: 'system:serviceaccount:team-a:controller' } })
  },
  'CRD-creator-spoof': async (world) => {
    const field = await create(world, aKey('spoofed', { createdBy: 'admin' }))
    expect(messageOf(field)).toContain('unknown field "spec.createdBy"')
    const { stdout } = await createAs(world, aKey('spoofed', {}, { annotations: FORGED }), EDITOR)
    expect(creatorOf(JSON.parse(stdout))).toBe('editor@example.com')
  },
  // the edit is taken, and the stamp is put back: a tool that applies all it has read goes on working
  'CRD-creator-change': async (world) => {
    const made = (await getKey(world.cluster, `${TEAM}/spoofed`))?.metadata
    for (const annotations of [FORGED, null]) {
      const patch = JSON.stringify({ metadata: { annotations } })
      const args = ['patch', 'apikey', 'spoofed', '-n', TEAM, '--type=merge', '-p', patch]
      expect((await world.cluster.kubectl(args, { as: EDITOR })).stderr).toBe('')
      const now = (await getKey(world.cluster, `${TEAM}/spoofed`))?.metadata
      expect((now as Made['metadata'] | undefined)?.annotations).toEqual(
        (made as Made['metadata'] | undefined)?.annotations,
      )
    }
  },
  'CRD-status-spoof': async (world) => {
    const key = await keyInForce(world, 'status')
    await refusedTheStatus(world, 'status', { phase: 'Active', keyId: 'kw_prod_AAAAAAAAAAAA' })
    await editKey(world.cluster, `${TEAM}/status`, { state: 'Suspended' })
    await world.authz.comesTo({ key }, '401 key_inactive')
    const { status } = (await untilReady(world.cluster, `${TEAM}/status`, 'Suspended')) ?? {}
    // by an administrator, whom nothing holds
    const spoofed = await patchStatus(world, 'status', {
      ...{ phase: 'Active', keyId: 'kw_prod_AAAAAAAAAAAA', permissions: ['thing:read', 'thing:write'] },
    })
    expect(spoofed.status).toBe(200)
    expect(await world.authz.outcome({ key })).toBe('401 key_inactive')
    // at its next look, which any edit brings about
    await editKey(world.cluster, `${TEAM}/status`, { displayName: 'Status' })
    await until('the operator writes it anew', async () => {
      const now = (await getKey(world.cluster, `${TEAM}/status`))?.status
      return now?.keyId === status?.keyId && now?.phase === 'Inactive'
    })
    await editKey(world.cluster, `${TEAM}/status`, { state: 'Active' })
    await world.authz.comesTo({ key }, '200')
    expect(await world.authz.outcome({ key, method: 'POST' })).toBe('403 missing_permission')
  },
  'CRD-lastused-forge': async (world) => {
    const key = await keyInForce(world, 'last-used')
    await refusedTheStatus(world, 'last-used', { lastUsedAt: '2030-01-01T00:00:00Z' })
    expect((await getKey(world.cluster, `${TEAM}/last-used`))?.status).not.toHaveProperty('lastUsedAt')
    // where it is written all the same, nothing hangs on it
    await patchStatus(world, 'last-used', { lastUsedAt: '1999-01-01T00:00:00Z' })
    expect(await world.authz.outcome({ key })).toBe('200')
  },
}
