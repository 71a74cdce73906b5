/** The configurations that are shipped but not run are what their projects' published schemas take; and none leaves a header out. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { UPSTREAM_HEADERS } from '../../src/core/headers.ts'
import {
  customResources,
  type Document,
  documentsOf,
  messageType,
  problemsBy,
  problemsOf,
} from './published-schemas.ts'

const root = join(import.meta.dirname, '../..')
const shipped = (path: string): string => readFileSync(join(root, 'examples', path), 'utf8')

let schemas: string
let resources: ReturnType<typeof customResources>

beforeAll(() => {
  schemas = execFileSync('bash', [join(root, 'hack/schemas.sh')], { encoding: 'utf8' }).trim()
  resources = customResources(schemas)
}, 300_000)

describe.each(['envoy-gateway/securitypolicy.yaml', 'istio/authorization-policy.yaml', 'gateway-api/httproute.yaml'])(
  '%s',
  (file) => {
    const schemaOf = (document: Document) => {
      const schema = resources.get(`${document.apiVersion} ${document.kind}`)
      if (schema === undefined) throw new Error(`no published schema of ${document.apiVersion} ${document.kind}`)
      return schema
    }

    test('is what the published custom resource definitions take', () => {
      const documents = documentsOf(shipped(file))
      expect(documents.length).toBeGreaterThan(0)
      for (const document of documents) expect(problemsBy(schemaOf(document), document)).toEqual([])
    })

    test('would be wrong with a field that is not published', () => {
      for (const document of documentsOf(shipped(file))) {
        const mistyped = { ...document, spec: { ...(document.spec as Document), timeOut: '1s' } }
        expect(problemsBy(schemaOf(document), mistyped)).toEqual([
          '/spec must NOT have additional properties {"additionalProperty":"timeOut"}',
        ])
      }
    })
  },
)

describe('istio/mesh-config.yaml', () => {
  const type = () =>
    messageType(schemas, { file: 'mesh/v1alpha1/config.proto', type: 'istio.mesh.v1alpha1.MeshConfig' })

  test('is what the published protobuf of the mesh configuration takes', () => {
    const [config] = documentsOf(shipped('istio/mesh-config.yaml'))
    expect(problemsOf(type(), config)).toEqual([])
  })

  test('would be wrong with another field, another form of a value, or two providers in one', () => {
    const provider = (inner: object) => ({ extensionProviders: [{ name: 'x', ...inner }] })
    expect(
      problemsOf(type(), provider({ envoyExtAuthzGrpc: { servce: 'x', timeout: '250ms', port: '9001' } })),
    ).toEqual([
      '/extensionProviders/0/envoyExtAuthzGrpc/servce is no field of EnvoyExternalAuthorizationGrpcProvider',
      '/extensionProviders/0/envoyExtAuthzGrpc/timeout is no duration in seconds',
      '/extensionProviders/0/envoyExtAuthzGrpc/port is no number',
    ])
    expect(problemsOf(type(), provider({ envoyExtAuthzGrpc: {}, envoyExtAuthzHttp: {} }))[0]).toMatch(
      /^\/extensionProviders\/0 has more than one of /,
    )
  })
})

test('traefik/dynamic.yaml has middlewares that the published definition of a Middleware takes', () => {
  const [config] = documentsOf(shipped('traefik/dynamic.yaml')) as [{ http: { middlewares: Record<string, Document> } }]
  const schema = resources.get('traefik.io/v1alpha1 Middleware') ?? {}
  const judged = Object.entries(config.http.middlewares).map(([name, spec]) => [
    name,
    problemsBy(schema, { apiVersion: 'traefik.io/v1alpha1', kind: 'Middleware', metadata: { name }, spec }),
  ])
  expect(judged).toEqual([
    ['keyward', []],
    ['keyward-strip', []],
  ])
})

test('ingress-nginx/ingress.yaml is what the published protobuf of Kubernetes takes', () => {
  const api = (group: string) => ({ file: `k8s.io/api/${group}/v1/generated.proto`, type: `k8s.io.api.${group}.v1` })
  const types: Readonly<Record<string, { file: string; type: string }>> = {
    Service: api('core'),
    Ingress: api('networking'),
  }
  const documents = documentsOf(shipped('ingress-nginx/ingress.yaml'))
  expect(documents.map(({ kind }) => kind)).toEqual(['Service', 'Ingress'])
  for (const { apiVersion: _version, kind, ...rest } of documents) {
    const { file, type } = types[String(kind)] ?? { file: '', type: '' }
    expect(problemsOf(messageType(schemas, { file, type: `${type}.${kind}` }), rest)).toEqual([])
  }
})

describe('a configuration that names the headers for the API one by one', () => {
  test.each([
    'nginx/keyward.conf',
    'caddy/Caddyfile',
    'haproxy/keyward.lua',
    'traefik/dynamic.yaml',
    'apisix/route.yaml',
    'gateway-api/httproute.yaml',
    'ingress-nginx/ingress.yaml',
  ])('names all of them: %s', (file) => {
    const text = shipped(file).toLowerCase()
    const missing = UPSTREAM_HEADERS.filter((name) => !new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text))
    expect(missing).toEqual([])
  })
})
