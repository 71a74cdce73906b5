import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { startAuthz } from '../support/authz.ts'
import { awakeMs } from '../support/awake.ts'
import { makeAuthority } from '../support/certificates.ts'
import { type Ran, runKubectl } from '../support/cluster-kubectl.ts'
import { temporaryFolder } from '../support/process.ts'
import { apiUrlOf, GROUP_PATH, keyObject, type RestClient, restOf, tokenOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'
import { until } from '../support/until.ts'

const KUBE = join(import.meta.dirname, '../../hack/kube.sh')
const MERGE = 'application/merge-patch+json'
const MANIFESTS = { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }

/** Asks the HTTP check as Traefik does. */
const checked = async (standalone: Standalone, credential: string) => {
  const answer = await ask(`${standalone.checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
  })
  return answer.json.code ?? answer.status
}

let standalone: Standalone
let api: RestClient
beforeAll(async () => {
  standalone = await startStandalone({ manifests: MANIFESTS })
  api = restOf(standalone)
})
afterAll(() => standalone.stop())

describe('who may ask', () => {
  test('has the token, which lies in a file for its owner only and stays over restarts', async () => {
    expect(statSync(join(standalone.data, 'token')).mode & 0o777).toBe(0o600)
    expect(api.token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect((await api.send('GET', 'apikeys')).status).toBe(200)
    expect(standalone.output()).not.toContain(api.token)
  })

  test.each([
    ['nobody says who it is', {}],
    ['the token is another', { authorization: `Bearer ${'a'.repeat(43)}` }],
    ['it is no bearer token', { authorization: 'Basic dTpw' }],
    ['it comes as a cookie', { cookie: 'token=x' }],
  ])('gets 401 where %s', async (_what, headers: Record<string, string>) => {
    for (const path of [`${GROUP_PATH}/apikeys`, '/version', '/nothing']) {
      const { status, json, headers: answered } = await ask(api.url + path, { headers })
      expect([status, json.kind, json.reason]).toEqual([401, 'Status', 'Unauthorized'])
      expect(answered['access-control-allow-origin']).toBeUndefined()
    }
  })

  test('names it by an address or as localhost, so that no page can have its own name lead here', async () => {
    const asked = (host: string) =>
      ask(`${api.url}/version`, { host, headers: { authorization: `Bearer ${api.token}` } })
    expect((await asked('evil.example:8088')).json).toMatchObject({ code: 403, reason: 'Forbidden' })
    expect((await asked('keyward')).status).toBe(403)
    expect((await asked('localhost:8088')).status).toBe(200)
    expect((await asked('[::1]')).status).toBe(200)
  })
})

describe('reading', () => {
  test('shows an object with its metadata, defaults, status, and where it is declared', async () => {
    const { json, status } = await api.send('GET', 'namespaces/team/apikeys/main')
    expect(status).toBe(200)
    expect(json).toMatchObject({
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'ApiKey',
      metadata: {
        name: 'main',
        namespace: 'team',
        generation: 1,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        annotations: { 'keyward.dev/file': 'k.yaml:1' },
      },
      spec: { permissions: ['thing:read'], state: 'Active', regenerate: 0, overlap: '0s' },
      status: { phase: 'Active', keyId: expect.stringMatching(/^kw_prod_/), createdBy: { username: 'standalone' } },
    })
    expect((await api.send('GET', 'accessnamespaces/acme')).json).toMatchObject({
      metadata: { name: 'acme', annotations: { 'keyward.dev/file': 'a.yaml:1' } },
      status: { conditions: [{ type: 'Accepted', status: 'True' }] },
    })
  })

  test('lists all namespaces or one, by field, by label, and in parts', async () => {
    const names = async (path: string) =>
      ((await api.send('GET', path)).json.items as unknown as { metadata: { name: string } }[]).map(
        ({ metadata }) => metadata.name,
      )
    await api.send('POST', 'namespaces/other/apikeys', {
      body: keyObject('elsewhere', {}, { namespace: 'other', labels: { team: 'web' } }),
    })
    expect(await names('apikeys')).toEqual(['elsewhere', 'main'])
    expect(await names('namespaces/team/apikeys')).toEqual(['main'])
    expect(await names('namespaces/nobody/apikeys')).toEqual([])
    expect(await names('apikeys?fieldSelector=metadata.name%3Dmain')).toEqual(['main'])
    expect(await names('apikeys?fieldSelector=spec.environment!%3Dproduction')).toEqual([])
    expect(await names('apikeys?labelSelector=team%20in%20(web,app)')).toEqual(['elsewhere'])
    expect(await names('apikeys?labelSelector=!team')).toEqual(['main'])
    const first = await api.send('GET', 'apikeys?limit=1')
    expect(first.json.items).toHaveLength(1)
    const token = encodeURIComponent(String(first.json.metadata?.continue))
    expect(await names(`apikeys?limit=1&continue=${token}`)).toEqual(['main'])
    expect((await api.send('GET', 'apikeys?fieldSelector=spec.nothing%3D1')).status).toBe(400)
    expect((await api.send('DELETE', 'namespaces/other/apikeys/elsewhere')).status).toBe(200)
  })

  test('says no with a Status', async () => {
    expect((await api.send('GET', 'namespaces/team/apikeys/nobody')).json).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      reason: 'NotFound',
      code: 404,
      message: 'apikeys.keyward.dev "nobody" not found',
      details: { name: 'nobody', group: 'keyward.dev', kind: 'apikeys' },
    })
    for (const path of [
      'secrets',
      'namespaces/team/accessnamespaces',
      'namespaces/team/apikeys/main/secret',
      'apikeys/main',
    ]) {
      expect([path, (await api.send('GET', path)).json.reason]).toEqual([path, 'NotFound'])
    }
    expect((await api.send('OPTIONS', 'apikeys')).status).toBe(405)
    expect((await api.send('DELETE', 'namespaces/team/apikeys')).status).toBe(405)
    const status = { body: { status: { phase: 'Active' } }, type: MERGE }
    expect((await api.send('PATCH', 'namespaces/team/apikeys/main/status', status)).json).toMatchObject({
      ...{ code: 405, message: expect.stringContaining('a status is written by Keyward only') },
    })
  })

  test('a watch tells what is there, what happens, and again from any recent version', async () => {
    const watch = api.watch('apikeys?watch=true&allowWatchBookmarks=true&sendInitialEvents=true')
    await watch.told('ADDED main')
    const mark = await watch.told('BOOKMARK')
    standalone.edit('w.yaml', thingsKey('watched'))
    await watch.told('ADDED watched')
    standalone.edit('w.yaml', `${thingsKey('watched')}  state: Suspended\n`)
    await watch.told('MODIFIED watched')
    standalone.remove('w.yaml')
    await watch.told('DELETED watched')
    watch.stop()
    const again = api.watch(`apikeys?watch=1&resourceVersion=${mark.object?.metadata?.resourceVersion}`)
    await again.told('DELETED watched')
    expect(again.events().map(({ type }) => type)).not.toContain('BOOKMARK')
    again.stop()
    const past = api.watch('apikeys?watch=1&resourceVersion=5')
    await until('it is told that it comes too late', () => past.events().some(({ type }) => type === 'ERROR'))
    expect(past.events()[0]?.object).toMatchObject({ code: 410, reason: 'Expired' })
  })
})

describe('writing', () => {
  test('creates, changes and deletes what no file speaks of, in force when it is answered', async () => {
    const created = await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('written') })
    expect([created.status, created.json.metadata?.annotations]).toEqual([201, undefined])
    const { key: credential } = await standalone.key('team/written')
    expect(await checked(standalone, credential)).toBe(200)
    const path = 'namespaces/team/apikeys/written'
    const suspended = await api.send('PATCH', path, { body: { spec: { state: 'Suspended' } }, contentType: MERGE })
    expect([suspended.status, suspended.json.metadata?.generation]).toEqual([200, 2])
    expect(await checked(standalone, credential)).toBe('key_inactive')

    const stale = await api.send('PUT', path, { body: created.json })
    expect([stale.status, stale.json.reason]).toEqual([409, 'Conflict'])
    const now = (await api.send('GET', path)).json as unknown as { spec: object }
    const active = { ...now, spec: { ...now.spec, state: 'Active' } }
    expect((await api.send('PUT', path, { body: active })).status).toBe(200)
    expect(await checked(standalone, credential)).toBe(200)

    const wrongUid = { preconditions: { uid: 'another' } }
    expect((await api.send('DELETE', path, { body: wrongUid })).json.reason).toBe('Conflict')
    expect((await api.send('DELETE', path)).json).toMatchObject({ status: 'Success', details: { name: 'written' } })
    expect(await checked(standalone, credential)).toBe('invalid_key')
    expect((await api.send('DELETE', path)).status).toBe(404)
  })

  test('with dryRun=All changes nothing, and says what it would', async () => {
    const body = keyObject('tried')
    const { status, json } = await api.send('POST', 'namespaces/team/apikeys?dryRun=All', { body })
    expect([status, json.spec?.state]).toEqual([201, 'Active'])
    expect((await api.send('GET', 'namespaces/team/apikeys/tried')).status).toBe(404)
    const wrong = await api.send('POST', 'namespaces/team/apikeys?dryRun=All', {
      body: keyObject('tried', { permissions: ['Wrong'] }),
    })
    expect(wrong.status).toBe(422)
    expect((await api.send('POST', 'namespaces/team/apikeys?dryRun=Some', { body })).status).toBe(400)
  })

  test('is refused by the very rules of files, in their words', async () => {
    const body = keyObject('wrong', { permissions: ['nonsense'], expiresAt: '2020-01-01T00:00:00Z', burst: 1 })
    const { status, json } = await api.send('POST', 'namespaces/team/apikeys', { body })
    expect([status, json.reason]).toEqual([422, 'Invalid'])
    expect(json.details?.causes).toEqual([
      {
        field: 'spec.permissions[0]',
        reason: 'FieldValueInvalid',
        message:
          'Invalid value: "nonsense": a permission in lower case with at least one colon, such as license:manage',
      },
      { field: 'spec.burst', reason: 'FieldValueInvalid', message: expect.stringContaining('Unknown field') },
    ])
    const expired = await api.send('POST', 'namespaces/team/apikeys', {
      body: keyObject('expired', { expiresAt: '2020-01-01T00:00:00Z' }),
    })
    expect(expired.json.message).toBe(
      'ApiKey.keyward.dev "expired" is invalid: spec.expiresAt: Invalid value: "2020-01-01T00:00:00.000Z": it lies in the past',
    )
    await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('fixed') })
    const changed = await api.send('PATCH', 'namespaces/team/apikeys/fixed', {
      body: { spec: { environment: 'staging' } },
      contentType: MERGE,
    })
    expect(changed.json.message).toContain('environment is immutable, and was "production"')
    const twin = { apiVersion: 'keyward.dev/v1alpha1', kind: 'AccessNamespace', metadata: { name: 'twin' } }
    const taken = await api.send('POST', 'accessnamespaces', {
      body: { ...twin, spec: { type: 'organization', externalId: 'acme' } },
    })
    expect([taken.status, taken.json.details?.causes]).toEqual([
      422,
      [expect.objectContaining({ field: 'spec.externalId' })],
    ])
    await api.send('DELETE', 'namespaces/team/apikeys/fixed')
  })

  test('warns of what is accepted and has no effect', async () => {
    const body = keyObject('homeless', { accessNamespace: 'nowhere' })
    const { status, headers } = await api.send('POST', 'namespaces/team/apikeys', { body })
    expect([status, headers.warning]).toEqual([201, expect.stringContaining('there is no such AccessNamespace')])
    await api.send('DELETE', 'namespaces/team/apikeys/homeless')
  })

  test('leaves to files what files declare, and names file and line', async () => {
    const path = 'namespaces/team/apikeys/main'
    const message = 'apikeys.keyward.dev "main" is forbidden: it is declared in k.yaml:1, and is changed only there'
    const patched = await api.send('PATCH', path, { body: { spec: { state: 'Suspended' } }, contentType: MERGE })
    expect([patched.status, patched.json.message]).toEqual([403, message])
    expect((await api.send('PUT', path, { body: (await api.send('GET', path)).json })).json.message).toBe(message)
    expect((await api.send('DELETE', path)).json.message).toBe(message)
    expect((await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('main') })).json).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'apikeys.keyward.dev "main" already exists: it is declared in k.yaml:1',
    })
  })

  test('what a file declares later becomes the file’s, and the key goes on', async () => {
    await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('adopted') })
    const { key: credential } = await standalone.key('team/adopted')
    const path = 'namespaces/team/apikeys/adopted'
    const uid = (await api.send('GET', path)).json.metadata?.uid
    // refused, so that it stays what it was
    standalone.edit('z.yaml', thingsKey('adopted').replace('production', 'staging'))
    await until('the refusal is shown', async () => {
      const conditions = (await api.send('GET', path)).json.status?.conditions as unknown as { reason: string }[]
      return conditions.some(({ reason }) => reason === 'EditRefused')
    })
    expect((await api.send('PATCH', path, { body: {}, contentType: MERGE })).json.message).toContain('z.yaml:1')
    standalone.remove('z.yaml')
    await until(
      'it is free again',
      async () => (await api.send('PATCH', path, { body: {}, contentType: MERGE })).status === 200,
    )
    expect(await checked(standalone, credential)).toBe(200)

    standalone.edit('z.yaml', thingsKey('adopted'))
    await until('it is the file’s', async () => (await api.send('GET', path)).json.metadata?.annotations !== undefined)
    expect((await api.send('GET', path)).json.metadata?.uid).toBe(uid)
    expect(await checked(standalone, credential)).toBe(200)
    standalone.remove('z.yaml')
    await until('it is gone with its file', async () => (await api.send('GET', path)).status === 404)
  })

  test.each([
    ['no JSON', '{', 'application/json', 400],
    ['another kind', { ...keyObject('x'), kind: 'Secret' }, undefined, 400],
    ['another namespace', keyObject('x', {}, { namespace: 'other' }), undefined, 400],
    ['a list', [], undefined, 400],
    ['nested without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'application/json', 400],
    ['protobuf', 'x', 'application/vnd.kubernetes.protobuf', 415],
    ['too long', ' '.repeat(3 * 1024 * 1024 + 1), 'application/json', 413],
  ])('refuses a body that is %s', async (_what, body, contentType, status) => {
    const answer = await api.send('POST', 'namespaces/team/apikeys', {
      body,
      ...(contentType === undefined ? {} : { contentType }),
    })
    expect([answer.status, answer.json.kind]).toEqual([status, 'Status'])
  })

  test('never repeats a key that somebody pasted, nor takes it', async () => {
    const { key: credential } = await standalone.key('team/main')
    const { status, text } = await api.send('POST', 'namespaces/team/apikeys', {
      body: keyObject('pasted', { displayName: credential }),
    })
    expect(status).toBe(422)
    expect(text).not.toContain(credential.slice(-49))
  })
})

describe('a restart', () => {
  test('also after a kill keeps what was written, and the token', async () => {
    const before = await startStandalone({ manifests: MANIFESTS })
    const first = restOf(before)
    await first.send('POST', 'namespaces/team/apikeys', { body: keyObject('kept') })
    const { key: credential } = await before.key('team/kept')
    const was = (await first.send('GET', 'namespaces/team/apikeys/kept')).json.metadata
    await before.kill()
    const after = await startStandalone({ home: before.home })
    const second = restOf(after)
    expect(second.token).toBe(first.token)
    const is = (await second.send('GET', 'namespaces/team/apikeys/kept')).json.metadata
    expect([is?.uid, Number(is?.resourceVersion) > Number(was?.resourceVersion)]).toEqual([was?.uid, true])
    expect(await checked(after, credential)).toBe(200)
    await after.stop()
  })

  test('with a token file that holds none says so, and one that was open to others is closed', async () => {
    const before = await startStandalone({ manifests: MANIFESTS })
    await before.stop()
    writeFileSync(join(before.data, 'token'), 'short\n', { mode: 0o644 })
    const after = await startStandalone({ home: before.home, ready: false })
    await until('it ended', () => after.process.exitCode === 1)
    expect(after.output()).toContain('holds no token')
    expect(statSync(join(before.data, 'token')).mode & 0o777).toBe(0o600)
  })

  test('ends watches, and does not wait for them', async () => {
    const running = await startStandalone({ manifests: MANIFESTS })
    const watch = restOf(running).watch('apikeys?watch=1')
    await watch.told('ADDED main')
    const from = awakeMs()
    expect(await running.stop()).toBe(0)
    expect(awakeMs() - from).toBeLessThan(5000)
    await until('the watch ended', watch.ended)
  })
})

test('an authz beside it has in force what was written here too', async () => {
  const authz = await startAuthz({ home: standalone.home })
  await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('shared') })
  const { key: credential } = await standalone.key('team/shared')
  const asked = async () =>
    (
      await ask(`${authz.checkUrl}/check/forwarded`, {
        key: credential,
        headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
      })
    ).status
  await until('it is known', async () => (await asked()) === 200)
  standalone.edit('other.yaml', thingsKey('other'))
  await standalone.key('team/other')
  expect(await asked()).toBe(200)
  await api.send('DELETE', 'namespaces/team/apikeys/shared')
  await until('it is gone', async () => (await asked()) === 401)
  await authz.stop()
})

test('kubectl gets, creates, applies and deletes', async () => {
  const authority = await makeAuthority()
  const { certFile, keyFile } = await authority.issue(['127.0.0.1'])
  const secured = await startStandalone({ manifests: MANIFESTS, args: ['--tls-cert', certFile, '--tls-key', keyFile] })
  const server = apiUrlOf(secured).replace('http:', 'https:')
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'token'), tokenOf(secured))
  const [file = ''] = execFileSync('bash', [KUBE, 'kubectl'], { encoding: 'utf8' }).split('\n')
  const plane = { kubectl: file, kubeconfig: '', server, caFile: authority.caFile }
  const kubectl = (...args: readonly string[]): Promise<Ran> =>
    runKubectl({ plane, dir: folder, args, options: { serviceAccount: folder } })
  const got = await kubectl('get', 'apikeys', '-A')
  expect(got.stdout.split('\n')[0]?.split(/ {2,}/).slice(0, 3)).toEqual(['NAMESPACE', 'NAME', 'ID'])
  expect(got.stdout).toMatch(/team +main +kw_prod_\w{12} +production +acme +thing:read/)
  const manifest = join(folder, 'new.json')
  writeFileSync(manifest, JSON.stringify(keyObject('second')))
  expect((await kubectl('apply', '-f', manifest)).stdout).toContain('apikey.keyward.dev/second created')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('thing:read', 'thing:write'))
  expect((await kubectl('apply', '-f', manifest)).stdout).toContain('apikey.keyward.dev/second configured')
  expect((await kubectl('apply', '--server-side', '-f', manifest)).stdout).toContain('second serverside-applied')
  expect((await kubectl('get', 'ak', 'second', '-n', 'team', '-o', 'jsonpath={.spec.permissions}')).stdout).toBe(
    '["thing:write"]',
  )
  expect(
    (await kubectl('patch', 'ak', 'main', '-n', 'team', '--type=merge', '-p', '{"spec":{"state":"Suspended"}}')).stderr,
  ).toContain('it is declared in k.yaml:1')
  expect((await kubectl('delete', 'ak', 'second', '-n', 'team')).stdout).toContain('deleted')
  expect((await kubectl('get', 'ak', 'second', '-n', 'team')).stderr).toContain(
    'apikeys.keyward.dev "second" not found',
  )
  await secured.stop()
})
