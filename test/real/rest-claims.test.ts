import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { claim } from '../support/claimant.ts'
import { keyObject, type RestClient, restOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'
import { until } from '../support/until.ts'

const MANIFESTS = { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }

/** Without anybody who receives keys by themselves. */
const start = async (home?: string) => {
  const standalone = await startStandalone({
    ...(home === undefined ? { manifests: MANIFESTS } : { home }),
    newKeys: false,
  })
  const api = restOf(standalone)
  return { standalone, api, claims: claimsOver(api) }
}

const claimsOver =
  (api: RestClient, now = () => api) =>
  (apiKey: string, version?: number) =>
    claim(
      {
        request: async (method, path, body) => {
          const { status, json } = await now().send(method, path, { body })
          return { status, body: json }
        },
      },
      { namespace: 'team', apiKey, ...(version === undefined ? {} : { version }) },
    )

const checked = async (standalone: Standalone, credential: string) => {
  const answer = await ask(`${standalone.checkUrl}/check/forwarded`, {
    key: credential,
    headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
  })
  return answer.json.code ?? answer.status
}

describe('a claim', () => {
  test('receives what only its private key can read, once; the acknowledgement takes it away', async () => {
    const { standalone, api, claims } = await start()
    const first = await claims('main')
    const { id, key } = await first.open()
    expect(await checked(standalone, key)).toBe(200)
    expect((await api.send('GET', 'namespaces/team/apikeys/main')).json.status).toMatchObject({
      phase: 'Active',
      keyId: id,
      credential: { version: 1, claimedBy: { username: 'standalone' } },
    })
    const second = await claims('main')
    expect(await second.outcome()).toBe('AlreadyClaimed')
    expect(await (await claims('nobody')).outcome()).toBe('KeyNotFound')
    expect(await (await claims('main', 2)).outcome()).toBe('NotClaimable')
    await first.acknowledge()
    expect((await api.send('GET', `namespaces/team/apikeyclaims/${first.name}`)).status).toBe(404)
    expect(await checked(standalone, key)).toBe(200)
    const whole = (await api.send('GET', 'apikeyclaims')).text + standalone.output()
    expect(whole).not.toContain(key.slice(-49))
    expect(standalone.output()).toContain('a claim was denied')
    await standalone.stop()
  })

  test('of a regenerated key receives the new version, and one that is too late none', async () => {
    const { standalone, api, claims } = await start()
    await api.send('POST', 'namespaces/team/apikeys', { body: keyObject('own') })
    const before = await (await claims('own')).open()
    const raised = await api.send('PATCH', 'namespaces/team/apikeys/own', {
      body: { spec: { regenerate: 1 } },
      contentType: 'application/merge-patch+json',
    })
    expect(raised.status).toBe(200)
    expect(await checked(standalone, before.key)).toBe('invalid_key')
    expect(await (await claims('own', 1)).outcome()).toBe('VersionSuperseded')
    const after = await (await claims('own')).open()
    expect([after.id, await checked(standalone, after.key)]).toEqual([before.id, 200])
    await standalone.stop()
  })

  test('of ten at once is one that wins', async () => {
    const { standalone, claims } = await start()
    const all = await Promise.all(Array.from({ length: 10 }, () => claims('main')))
    const outcomes = await Promise.all(all.map(({ outcome }) => outcome()))
    expect(outcomes.filter((one) => one === 'Delivered')).toHaveLength(1)
    expect(outcomes.filter((one) => one === 'AlreadyClaimed')).toHaveLength(9)
    await standalone.stop()
  })

  test('outlives a kill, and what was delivered works after it', async () => {
    const { standalone, api } = await start()
    let now = api
    const waiting = await claimsOver(api, () => now)('main')
    await standalone.kill()
    const again = await start(standalone.home)
    now = again.api
    const { key } = await waiting.open()
    expect(await checked(again.standalone, key)).toBe(200)
    expect(await (await again.claims('main')).outcome()).toBe('AlreadyClaimed')
    await again.standalone.stop()
  })

  test('is refused by its own rules, never changed, and tells who watches', async () => {
    const { standalone, api, claims } = await start()
    const watch = api.watch('apikeyclaims?watch=1')
    const made = await claims('main')
    await watch.told(`ADDED ${made.name}`)
    await watch.told(`MODIFIED ${made.name}`)
    await until('what was sealed is told of', () =>
      watch.events().some((event) => event.object?.status?.jwe !== undefined),
    )
    const path = `namespaces/team/apikeyclaims/${made.name}`
    expect((await api.send('PATCH', path, { body: {}, contentType: 'application/merge-patch+json' })).status).toBe(405)
    const { privateKey } = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true })
    const body = {
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'ApiKeyClaim',
      metadata: { name: 'pasted', namespace: 'team' },
      spec: { apiKey: 'main', publicJwk: await exportJWK(privateKey) },
    }
    const refused = await api.send('POST', 'namespaces/team/apikeyclaims', { body })
    expect([refused.status, refused.json.message]).toEqual([422, expect.stringContaining('spec.publicJwk.d')])
    const offCurve = { ...body.spec.publicJwk, y: body.spec.publicJwk.x }
    const { d: _private, ...publicJwk } = offCurve
    await api.send('POST', 'namespaces/team/apikeyclaims', { body: { ...body, spec: { apiKey: 'main', publicJwk } } })
    const denied = await until('it is denied', async () => {
      const found = (await api.send('GET', 'namespaces/team/apikeyclaims/pasted')).json.status?.conditions
      return found as unknown as { type: string; reason: string }[] | undefined
    })
    expect(denied.map(({ reason }) => reason)).toEqual(['InvalidKey', 'Denied'])
    watch.stop()
    await standalone.stop()
  })
})

test('with --new-keys everything goes there, and a claim comes too late', async () => {
  const standalone = await startStandalone({ manifests: MANIFESTS })
  await standalone.key('team/main')
  expect(await (await claimsOver(restOf(standalone))('main')).outcome()).toBe('AlreadyClaimed')
  await standalone.stop()
})
