// The CustomResourceDefinitions: made from the schemas, checked in, bounded, and with every rule in them or with a reason why not.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load, loadAll, YAML11_SCHEMA } from 'js-yaml'
import { describe, expect, test } from 'vitest'
import type { KeyId } from '../../src/core/credential.ts'
import { type Cel, NO_CLOCK } from '../../src/resources/cel.ts'
import { CRD_NAMES, crdFile, crdOf, crdYaml } from '../../src/resources/crd/crd.ts'
import { CRD_KINDS } from '../../src/resources/crd/kinds.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import { BAD, GOOD, UPDATES } from './cases.ts'
import { ELSEWHERE } from './on-cluster.ts'

const FOLDER = join(import.meta.dirname, '../../crds')
const WEBHOOKS = join(import.meta.dirname, '../../deploy/webhooks.yaml')

type Node = {
  readonly [field: string]: unknown
  readonly type?: string
  readonly nullable?: boolean
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly additionalProperties?: Node
}

/** Every node below the root, with the way to it. */
function nodes(node: Node, way: string): (readonly [string, Node])[] {
  const inside = Object.entries(node.properties ?? {}).flatMap(([name, one]) => nodes(one, `${way}.${name}`))
  const more = [node.items, node.additionalProperties].flatMap((one) =>
    one === undefined ? [] : nodes(one, `${way}[]`),
  )
  return [[way, node], ...inside, ...more]
}

const rootOf = (kind: (typeof CRD_NAMES)[number]): Node => {
  const { spec } = JSON.parse(JSON.stringify(crdOf(kind)))
  return spec.versions[0].schema.openAPIV3Schema
}

const ALL = CRD_NAMES.flatMap((kind) => nodes(rootOf(kind), kind)).filter(([way]) => !/^\w+\.metadata/.test(way))

const rulesOf = (node: Node): readonly string[] =>
  ((node['x-kubernetes-validations'] ?? []) as readonly { readonly rule: string }[]).map(({ rule }) => rule)

const ways = (wrong: (node: Node) => boolean) => ALL.filter(([, node]) => wrong(node)).map(([way]) => way)

describe('the definitions that are checked in', () => {
  test.each(CRD_NAMES)('are those of the schemas: %s', (kind) => {
    expect(readFileSync(join(FOLDER, crdFile(kind)), 'utf8'), 'run hack/crds.ts').toBe(crdYaml(kind))
  })

  test('are all there are', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'))
    expect(files.sort()).toEqual(CRD_NAMES.map(crdFile).sort())
  })

  test('say the same to a reader of YAML 1.1, who takes y and n for booleans', () => {
    for (const kind of CRD_NAMES)
      expect(load(crdYaml(kind), { schema: YAML11_SCHEMA })).toEqual(JSON.parse(JSON.stringify(crdOf(kind))))
  })
})

/** Whatever stands there is refused, and reaches the rule that says so. */
const PRIVATE_PART = 'ApiKeyClaim.spec.publicJwk.d'

describe('a schema', () => {
  test('has a type and a description everywhere', () => {
    expect(ALL.length).toBeGreaterThan(150)
    expect(ways(({ type }) => type === undefined)).toEqual([PRIVATE_PART])
    const fields = ALL.filter(([way]) => !way.endsWith('[]'))
    const silent = fields.filter(([, { description }]) => !/^[A-Z*][\s\S]*[.?!]$/.test(String(description ?? '')))
    expect(silent.map(([way]) => way)).toEqual([])
  })

  test('bounds every string, list, mapping and number', () => {
    expect(
      ways((node) => {
        if (node.enum !== undefined) return false
        if (node.type === 'string') return node.maxLength === undefined
        if (node.type === 'array') return node.maxItems === undefined
        if (node.additionalProperties !== undefined) return node.maxProperties === undefined
        return node.type === 'integer' && (node.maximum === undefined || node.minimum === undefined)
      }),
    ).toEqual([])
  })

  test('drops no null in a spec: whoever left a limit blank would have a key without it', () => {
    const inSpecs = ALL.filter(([way]) => /^\w+\.spec/.test(way))
    const optional = inSpecs.flatMap(([way, { properties = {}, required = [], ...node }]) => {
      const fields = Object.keys(properties).filter((name) => !(required as readonly string[]).includes(name))
      return fields.map((name) => ({
        field: `${way}.${name}`,
        nullable: properties[name]?.nullable,
        rules: rulesOf(node),
        name,
      }))
    })
    expect(optional.length).toBeGreaterThan(50)
    const dropped = optional.filter(
      ({ nullable, rules, name }) => nullable !== true || !rules.some((rule) => rule.includes(`k != "${name}"`)),
    )
    expect(dropped.map(({ field }) => field)).toEqual([])
  })

  test('prunes what it does not know', () => {
    expect(ways((node) => 'x-kubernetes-preserve-unknown-fields' in node)).toEqual([PRIVATE_PART])
    expect(ways((node) => node.properties !== undefined && node.additionalProperties !== undefined)).toEqual([])
  })

  test('has atomic lists in every spec', () => {
    const lists = ALL.filter(([way, { type }]) => type === 'array' && /^\w+\.spec/.test(way))
    expect(lists.length).toBeGreaterThan(10)
    expect(lists.filter(([, node]) => node['x-kubernetes-list-type'] !== 'atomic')).toEqual([])
  })

  test('says in words what a pattern wants', () => {
    expect(ways((node) => 'pattern' in node)).toEqual([])
    const rules = ALL.flatMap(([, node]) => (node['x-kubernetes-validations'] ?? []) as readonly { message: string }[])
    expect(rules.length).toBeGreaterThan(100)
    expect(rules.filter(({ message }) => message === '' || /\n/.test(message))).toEqual([])
  })
})

describe('a status', () => {
  const told: ApiKeyStatus = {
    phase: 'Active',
    keyId: 'kw_prod_4fQ0Zp8sLm2T' as KeyId,
    createdBy: { username: 'ana' },
    permissions: ['a:b'],
    permissionsSummary: 'a:b',
    withheld: [{ permission: 'a:c', since: '', because: ['ana'] }],
    limitsSummary: '600/1m',
    credential: { version: 1, issuedAt: '', claimedBy: { username: 'bo' }, claimedAt: '', previousValidUntil: '' },
    observedGeneration: 1,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Active', message: '', observedGeneration: 1, lastTransitionTime: '' },
    ],
  }

  /** Every field of a value, as ways through a schema. */
  const fields = (value: unknown, way: string): readonly string[] => {
    if (Array.isArray(value)) return value.flatMap((one) => fields(one, `${way}[]`))
    if (typeof value !== 'object' || value === null) return [way]
    return Object.entries(value).flatMap(([name, one]) => fields(one, `${way}.${name}`))
  }

  test('holds all that the operator tells of a key: nothing is pruned', () => {
    const known = new Set(ALL.map(([way]) => way))
    expect(
      fields(told, 'ApiKey.status').filter((way) => !known.has(way.replace(/permissions\[\]$/, 'permissions'))),
    ).toEqual([])
    expect(known).toContain('ApiKey.status.lastUsedAt')
    expect(known).toContain('ApiKeyClaim.status.attempt.id')
  })
})

describe('a rule', () => {
  const rules = CRD_NAMES.flatMap((kind) =>
    CRD_KINDS[kind].rules.flatMap(([, named]) =>
      named.map(({ name, cluster }) => ({ name: `${kind}: ${name}`, cluster })),
    ),
  )
  const isCel = (one: object): one is Cel => 'rule' in one

  test('stands in the definition, or says why only the webhook can keep it', () => {
    expect(rules.length).toBeGreaterThan(40)
    expect(rules.filter(({ cluster }) => cluster.length === 0).map(({ name }) => name)).toEqual([])
  })

  test('is left to the webhook only where the API server can not see it', () => {
    const left = rules.filter(({ cluster }) => cluster.some((one) => !isCel(one)))
    expect(left.map(({ name }) => name)).toEqual([
      "ApiKey: revoked and expired keys can't be regenerated",
      "ApiKey: the digest of a revoked or expired key can't be replaced",
      'ProtectedApi: no two of permissions have the same name',
      'ProtectedApi: no two routes answer the same requests',
      'TokenIssuer: jwks is a JWK Set of public keys',
    ])
    expect(left.flatMap(({ cluster }) => cluster).filter((one) => one === NO_CLOCK)).toHaveLength(2)
  })

  test('that is left to the webhook is of a kind that it is called for', () => {
    type Called = { readonly resources: readonly string[]; readonly operations: readonly string[] }
    type Configuration = { readonly kind: string; readonly webhooks?: readonly { readonly rules: readonly Called[] }[] }
    const shipped = loadAll(readFileSync(WEBHOOKS, 'utf8')) as readonly Configuration[]
    const called = shipped
      .filter(({ kind }) => kind === 'ValidatingWebhookConfiguration')
      .flatMap(({ webhooks = [] }) => webhooks.flatMap((webhook) => webhook.rules))
      .flatMap((one) => one.resources.flatMap((plural) => one.operations.map((operation) => `${operation} ${plural}`)))
    const needed = CRD_NAMES.filter((kind) =>
      CRD_KINDS[kind].rules.some(([, named]) => named.some(({ cluster }) => cluster.some((one) => !isCel(one)))),
    ).flatMap((kind) => [`CREATE ${CRD_KINDS[kind].plural}`, `UPDATE ${CRD_KINDS[kind].plural}`])
    expect(needed).toContain('CREATE tokenissuers')
    expect(needed.filter((one) => !called.includes(one))).toEqual([])
  })

  test('has words that are its own: no two say the same of one field', () => {
    const texts = ALL.flatMap(([way, node]) =>
      ((node['x-kubernetes-validations'] ?? []) as readonly { rule: string }[]).map(({ rule }) => `${way} ${rule}`),
    )
    expect(new Set(texts).size).toBe(texts.length)
  })
})

describe('the names of the kinds', () => {
  /** `kubectl api-resources` of a bare API server. */
  const TAKEN =
    'cs cm ep ev limits ns no pvc pv po rc quota sa svc crd crds ds deploy rs sts hpa cj csr ing netpol pdb pc sc'

  test('are short, and nobody else has them', () => {
    const short = CRD_NAMES.flatMap((kind) => CRD_KINDS[kind].shortNames)
    expect(short).toEqual(['an', 'ak', 'akc', 'papi', 'ti'])
    expect(short.filter((name) => TAKEN.split(' ').includes(name))).toEqual([])
  })

  test('the table of keys has the columns that people ask for', () => {
    const { columns } = CRD_KINDS.ApiKey
    const shown = (wide: boolean) => columns.filter(({ priority = 0 }) => priority > 0 === wide).map(({ name }) => name)
    expect(shown(false).map((name) => name.toUpperCase())).toEqual([
      'ID',
      'ENV',
      'NAMESPACE',
      'PERMISSIONS',
      'LIMIT',
      'STATUS',
      'LAST USED',
      'EXPIRES',
      'AGE',
    ])
    expect(shown(true)).toEqual(['Creator', 'Claimant', 'Version'])
  })
})

describe('the table of cases', () => {
  test('is large, and names what it lists as different', () => {
    expect(GOOD.length + BAD.length + UPDATES.length).toBeGreaterThan(300)
    const names = new Set([...BAD.map(([what]) => what), ...UPDATES.map(([what]) => what)])
    expect(ELSEWHERE.flatMap(({ cases }) => cases).filter((what) => !names.has(what))).toEqual([])
  })
})
