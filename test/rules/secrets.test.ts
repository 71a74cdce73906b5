/** Looks for one marked credential everywhere that something is said: refusals, problems, explanations, logs, the sources. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { explain } from '../../src/cli/explain.ts'
import { secretOf } from '../../src/core/credential.ts'
import { challengeOf, problemOf } from '../../src/core/denial.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { makeCheck } from '../../src/enforce/check.ts'
import { localLimiter } from '../../src/enforce/local-limiter.ts'
import { readDocuments } from '../../src/resources/document.ts'
import { parseManifest } from '../../src/resources/manifest.ts'
import { makeLog } from '../../src/runtime/log.ts'
import { leaksOf } from '../support/leaks.ts'
import { aCredential, aKey, anApi, anIndex, aRate, aRequest, cidrs, NOON, type RequestWish } from '../support/make.ts'

const SRC = join(import.meta.dirname, '../../src')

function logged() {
  const lines: string[] = []
  const log = makeLog('debug', {
    write: (line) => {
      lines.push(line)
    },
  })
  return { log, lines }
}

describe('the search itself', () => {
  const credential = aCredential()

  test.each<[string, (text: string) => string]>([
    ['as it is', (text) => `x${text}y`],
    ['without its ID', () => secretOf(credential)],
    ['the random part of it', (text) => text.slice(21, 64)],
    ['backwards', (text) => [...text].reverse().join('')],
    ['in hex', (text) => Buffer.from(text).toString('hex')],
    ['in base64', (text) => Buffer.from(text).toString('base64')],
    ['in base64 behind a byte', (text) => Buffer.from(`:${text}`).toString('base64')],
    ['in base64 behind two bytes', (text) => Buffer.from(`::${text}`).toString('base64')],
    ['percent-encoded', (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('')],
    ['in capitals', (text) => text.toUpperCase()],
  ])('finds a credential %s', (_what, shown) => {
    expect(leaksOf(credential, Buffer.from(shown(credential.text)))).not.toEqual([])
  })

  test('finds nothing where only the key ID is said', () => {
    expect(leaksOf(credential, Buffer.from(`${credential.keyId} and ${aCredential().text}`))).toEqual([])
  })
})

describe('a check', () => {
  const key = aKey({ limits: [aRate({ requests: 2 })] })
  const { text } = key.credential
  const good = { authorization: ['authorization', `Bearer ${text}`], apiKey: ['x-api-key', text] }
  const basic = ['authorization', `Basic ${btoa(`${key.credential.keyId}:${secretOf(key.credential)}`)}`]

  test.each<[string, Parameters<typeof aKey>[0], RequestWish]>([
    ['an allowed request', {}, { headers: good.authorization }],
    ['an allowed request by Basic', {}, { headers: basic }],
    ['a path that is refused', {}, { headers: good.apiKey, target: `/${text}/..` }],
    ['a path that no route names', {}, { headers: good.apiKey, target: `/${text}` }],
    ['a query', {}, { headers: good.apiKey, target: `/v1/things?key=${text}` }],
    ['a host', {}, { headers: good.apiKey, host: `${text.toLowerCase()}.example.com` }],
    ['a host that is none', {}, { headers: good.apiKey, host: `${text}@api.example.com` }],
    ['a method', {}, { headers: good.apiKey, method: text }],
    ['the name of a header', {}, { headers: [`X_Keyward_${text}`, 'x'] }],
    ['two credentials', {}, { headers: [...good.apiKey, ...good.authorization] }],
    ['a wrong checksum', {}, { headers: ['x-api-key', `${text.slice(0, -6)}000000`] }],
    ['a letter too many', {}, { headers: ['x-api-key', `${text}x`] }],
    ['two in one header', {}, { headers: ['x-api-key', `${text},${text}`] }],
    ['a token', {}, { headers: ['authorization', `Bearer x${text}`] }],
    ['a Basic in the wrong order', {}, { headers: ['authorization', `Basic ${btoa(`user:${text}`)}`] }],
    ['a suspended key', { state: 'Suspended' }, { headers: good.apiKey }],
    ['an expired key', { expiresAt: 1 }, { headers: good.apiKey }],
    ['a key of another environment', { environment: 'staging' }, { headers: good.apiKey }],
    ['an address that is none', { allowedCidrs: cidrs('10.0.0.0/8') }, { headers: good.apiKey, address: text }],
    ['a permission that is missing', { held: [] }, { headers: good.apiKey }],
    ['a customer', { customers: ['globex'] }, { headers: good.apiKey }],
  ])('of %s says nothing of the credential: not to the log, the caller or the upstream', (_what, record, request) => {
    const { log, lines } = logged()
    const held = { ...key, record: { ...key.record, ...record } }
    const check = makeCheck({
      index: () => anIndex({ apis: [anApi()], keys: [held] }),
      limiter: localLimiter(() => NOON * 1000),
      nowUs: () => NOON * 1000,
      note: (asked, verdict) => {
        log.debug({ requestId: asked.requestId, verdict }, 'check')
      },
    })
    for (let i = 0; i < 4; i++) {
      const verdict = check(aRequest(request))
      if (verdict instanceof Promise) throw new Error('the limiter of this process answers at once')
      const { record: _record, ...told } = verdict
      const said = verdict.kind === 'deny' ? [problemOf(verdict, 'r'), challengeOf(verdict.code)] : verdict.upstream
      expect(leaksOf(key.credential, Buffer.from(JSON.stringify([told, said])))).toEqual([])
    }
    expect(lines).toHaveLength(4)
    expect(leaksOf(key.credential, Buffer.from(lines.join('\n')))).toEqual([])
  })

  test('explained says nothing of the credential', () => {
    const index = anIndex({ apis: [anApi()], keys: [key] })
    const shown = { kind: 'known', record: key.record, treeUnseen: false, cappedUnseen: false } as const
    for (const target of ['/v1/things', '/v1/nothing', '//']) {
      const said = explain(index, shown, {
        method: 'GET',
        host: 'api.example.com',
        target,
        headers: [],
        address: undefined,
        now: NOON,
      })
      expect(leaksOf(key.credential, Buffer.from(JSON.stringify(said)))).toEqual([])
    }
  })
})

describe('the log', () => {
  const credential = aCredential()
  const { text } = credential

  test.each<[string, unknown]>([
    ['a field', { field: text }],
    ['a field deep below', { a: { b: [{ c: text }] } }],
    ['a name', { [text]: true }],
    ['a header', { headers: { authorization: `Bearer ${text}` } }],
    ['an error', { err: new Error(`no such key: ${text}`, { cause: new Error(text) }) }],
    ['a plaintext', { plaintext: new Plaintext(credential) }],
    ['a target', { target: `/v1/things?key=${text}&x` }],
  ])('keeps the key ID alone of a credential in %s', (_what, fields) => {
    const { log, lines } = logged()
    log.error(fields, `said by mistake: ${text}`)
    expect(leaksOf(credential, Buffer.from(lines.join('')))).toEqual([])
    expect(lines.join('')).toContain(`said by mistake: ${credential.keyId}`)
  })
})

describe('a manifest with a credential pasted into it', () => {
  const credential = aCredential()
  const { text } = credential
  const head = (kind: string) => ({
    apiVersion: 'keyward.dev/v1alpha1',
    kind,
    metadata: { name: 'main', namespace: 'team' },
  })
  const MANIFESTS: readonly { readonly [field: string]: unknown }[] = [
    {
      ...head('ApiKey'),
      spec: {
        displayName: 'Main',
        accessNamespace: 'acme',
        environment: 'production',
        permissions: ['a:read'],
        customers: ['globex'],
        expiresAt: '2030-01-01T00:00:00Z',
        rateLimit: { requests: 600, per: '1m', burst: 60 },
        quota: { requests: 1000, per: 'day' },
        allowedCIDRs: ['10.0.0.0/8'],
        state: 'Active',
        regenerate: 1,
        overlap: '1h',
        rotation: { every: '720h' },
        delivery: { secretName: 'main-credential' },
      },
    },
    {
      ...head('AccessNamespace'),
      spec: { type: 'application', parent: 'acme', displayName: 'Acme', externalId: 'a-1' },
    },
    {
      ...head('ProtectedApi'),
      spec: {
        environments: [{ name: 'production', hosts: ['api.example.com'] }],
        permissions: [{ name: 'a:read', title: 'Read' }],
        unmatched: 'deny',
        preflight: 'deny',
        routes: [
          { methods: ['GET'], path: '/v1/x', permission: 'a:read' },
          {
            methods: ['GET'],
            path: '/v1/w/{id}',
            permission: 'a:read',
            resource: 'workspace',
            id: 'id',
            reach: { workspace: 'lineage' },
          },
        ],
      },
    },
    {
      ...head('ApiKeyClaim'),
      spec: {
        apiKey: 'main',
        version: 1,
        publicJwk: { kty: 'EC', crv: 'P-256', x: 'a'.repeat(43), y: 'b'.repeat(43) },
      },
    },
    {
      ...head('TokenIssuer'),
      spec: {
        issuer: 'https://id.example.com',
        audiences: ['api'],
        jwksUri: 'https://id.example.com/jwks',
        algorithms: ['RS256'],
      },
    },
  ]

  /** The same value once for every place in it, with that place replaced; and once for every field, with its name replaced. */
  function* spoiled(value: unknown, wrong: string): Generator<unknown> {
    yield wrong
    if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) for (const bad of spoiled(item, wrong)) yield value.with(i, bad)
      return
    }
    if (typeof value !== 'object' || value === null) return
    yield { ...value, [wrong]: 1 }
    for (const [name, item] of Object.entries(value))
      for (const bad of spoiled(item, wrong)) yield { ...value, [name]: bad }
  }

  test.each(MANIFESTS.map((manifest) => [String(manifest.kind), manifest] as const))(
    '%s: no problem repeats it, wherever it stands',
    (_kind, manifest) => {
      let refused = 0
      for (const wrong of [text, secretOf(credential), ` ${text}`, `Bearer ${text}`]) {
        for (const value of spoiled(manifest, wrong)) {
          const read = parseManifest(value)
          if (read.ok) continue
          refused++
          const said = read.problems.map(({ field, message }) => `${field}: ${message}`).join('\n')
          expect(leaksOf(credential, Buffer.from(said))).toEqual([])
        }
      }
      expect(refused).toBeGreaterThan(10)
    },
  )

  test.each([
    ['a key without a colon', `kind: ApiKey\n${text}\nspec: {}`],
    ['a list that does not close', `spec: [${text}`],
    ['a quote that does not close', `spec: "${text}`],
    ['a tab', `spec:\n\t${text}: 1`],
    ['a field twice', `${text}: 1\n${text}: 2`],
    ['an alias', `a: *${text}`],
    ['a tag', `a: !${text} x`],
    ['JSON', `{"a": ${text}}`],
  ])('no problem of its YAML repeats it: %s', (_what, yaml) => {
    const said = readDocuments(yaml).problems.map(({ message }) => message)
    expect(leaksOf(credential, Buffer.from(said.join('\n')))).toEqual([])
  })
})

describe('the sources', () => {
  const files = globSync('**/*.ts', { cwd: SRC }).map((path) => [path, readFileSync(join(SRC, path), 'utf8')] as const)
  const holding = (pattern: RegExp) => files.flatMap(([path, code]) => (pattern.test(code) ? [path] : [])).sort()

  test('reveal a plaintext only where a key is handed over', () => {
    expect(holding(/\.reveal\(\)/)).toEqual([
      'cli/generate.ts',
      'cli/hand-out.ts',
      'folder/new-keys.ts',
      'kube/seal.ts',
      'kube/workload-secret.ts',
    ])
  })

  test('make a plaintext only where a key is minted, or opened by whom it was sealed for', () => {
    expect(holding(/new Plaintext\(/)).toEqual(['cli/generate.ts', 'cli/sealed.ts', 'operator/hand-over.ts'])
  })

  test('print nothing but through the log and the streams that main.ts passes in', () => {
    expect(holding(/\bconsole\.|process\.std(out|err)/)).toEqual(['main.ts'])
  })
})
