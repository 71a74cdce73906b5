/** The life of a key in a process of its own, and then a search for its plaintext in everything that the process left behind. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Credential, parseCredential } from '../../src/core/credential.ts'
import { ask } from '../support/ask.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { leaksOf } from '../support/leaks.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { until } from '../support/until.ts'

const AROUND = `apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: things, namespace: team}
spec:
  environments: [{name: production, hosts: [api.test]}]
  routes:
    - {methods: [GET], path: /healthz, public: true}
    - {methods: [GET, POST], path: /things, permission: "thing:read"}
`

const KEY = `apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: main, namespace: team}
spec:
  accessNamespace: acme
  environment: production
  permissions: ["thing:read"]
  rateLimit: {requests: 1000, per: 1m}
  overlap: 1h
  regenerate: 0
`

let echo: EchoUpstream
let standalone: Standalone

beforeAll(async () => {
  echo = await startEcho()
  const manifests = { 'around.yaml': AROUND, 'key.yaml': KEY }
  const args = ['--log-level', 'debug']
  standalone = await startStandalone({ manifests, upstream: String(echo.url), args })
})
afterAll(() => echo.stop())

async function credential(version: number): Promise<Credential> {
  const parsed = parseCredential((await standalone.key('team/main', version)).key)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

/** Every way in which a caller could bring a credential to a place that it is not meant for. */
async function useAndMisuse({ keyId, text }: Credential): Promise<readonly number[]> {
  const secret = text.slice(keyId.length + 1)
  const at = (path: string, headers: Readonly<Record<string, string>>, method = 'GET') =>
    ask(`${standalone.url}${path}`, { method, host: 'api.test', headers })
  const asTraefik = { 'x-forwarded-method': 'GET', 'x-forwarded-host': 'api.test', 'x-api-key': text }
  const answers = [
    await at('/things', { authorization: `Bearer ${text}` }),
    await at('/things', { authorization: `Basic ${btoa(`${keyId}:${secret}`)}` }),
    await at('/things', { 'x-api-key': text }, 'POST'),
    await at(`/things?key=${text}`, { 'x-api-key': text }),
    await at(`/things/${text}`, { 'x-api-key': text }),
    await at(`/${text}//things`, { 'x-api-key': text }),
    await at('/things', { 'x-api-key': `${text}x` }),
    await at('/things', { 'x-api-key': text, authorization: `Bearer ${text}` }),
    await at('/things', { 'x-api-key': text, 'x-request-id': text }),
    await at('/things', { 'x-api-key': text, 'x-keyward-subject': text }),
    await at('/things', { 'x-api-key': text, [`x_keyward_${keyId}`]: text }),
    await ask(`${standalone.url}/things`, { host: `${secret}.test`, headers: { 'x-api-key': text } }),
    await ask(`${standalone.checkUrl}/check/forwarded`, { headers: { ...asTraefik, 'x-forwarded-uri': '/things' } }),
    await ask(`${standalone.checkUrl}/check/forwarded`, { headers: { ...asTraefik, 'x-forwarded-uri': `/${text}` } }),
    await ask(`${standalone.checkUrl}/check/${text}`, { headers: asTraefik }),
  ]
  return answers.map(({ status }) => status)
}

const filesOf = (home: string): readonly string[] =>
  globSync('**/*', { cwd: home })
    .map((path) => join(home, path))
    .filter((path) => statSync(path).isFile())

test('a plaintext is in the new-keys file and nowhere else: no store, log, metric or upstream ever has it', async () => {
  const first = await credential(1)
  expect(await useAndMisuse(first)).toEqual([200, 200, 200, 400, 403, 400, 401, 400, 200, 200, 400, 403, 200, 403, 404])

  standalone.replace('key.yaml', 'regenerate: 0', 'regenerate: 1')
  const second = await credential(2)
  expect((await useAndMisuse(first))[0]).toBe(200)
  expect((await useAndMisuse(second))[0]).toBe(200)

  // somebody pastes it where it does not belong
  standalone.edit('pasted.yaml', `${KEY.replace('name: main', 'name: pasted')}  displayName: [${second.text}]\n`)
  standalone.edit('broken.yaml', `kind: ApiKey\n${second.text}: {\n`)
  await until(
    'both files are reported',
    () => /broken\.yaml/.test(standalone.output()) && /pasted\.yaml/.test(standalone.output()),
  )

  standalone.replace('key.yaml', 'regenerate: 1', 'regenerate: 1\n  state: Revoked')
  await until('the key is revoked', async () => (await useAndMisuse(second))[0] === 401)
  const { text: metrics } = await ask(`${standalone.adminUrl}/metrics`)
  // a kill leaves the write-ahead log as it was
  await standalone.kill()

  const pasted = new Set(['pasted.yaml', 'broken.yaml'].map((file) => join(standalone.manifests, file)))
  const files = filesOf(standalone.home).filter((path) => path !== standalone.newKeysFile && !pasted.has(path))
  expect(files.map((path) => relative(standalone.home, path)).some((path) => path.startsWith('data/'))).toBe(true)
  for (const key of [first, second]) {
    for (const file of files) expect(leaksOf(key, readFileSync(file)), file).toEqual([])
    expect(leaksOf(key, Buffer.from(standalone.output())), 'the log').toEqual([])
    expect(leaksOf(key, Buffer.from(metrics)), 'the metrics').toEqual([])
    expect(leaksOf(key, readFileSync(standalone.newKeysFile)), 'the search finds it where it is').not.toEqual([])
  }
  expect(standalone.output()).toContain(first.keyId)
})

test('the upstream never gets the credential by which a request was let through', () => {
  expect(echo.log.length).toBeGreaterThan(5)
  for (const { headers, header, target } of echo.log) {
    expect([header('authorization'), header('x-api-key')]).toEqual([undefined, undefined])
    const own = header('x-request-id')
    const others = headers.filter((value) => value !== own)
    expect(JSON.stringify([target, others])).not.toMatch(/kw_[a-z]+_[0-9A-Za-z]{12}_/)
  }
})
