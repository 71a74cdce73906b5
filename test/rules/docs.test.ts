/** Tables of the docs are compared with the code: what the docs promise is what there is. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AuthzConfig } from '../../src/authz/run.ts'
import { DENIALS } from '../../src/core/denial.ts'
import { UPSTREAM_HEADERS } from '../../src/core/headers.ts'
import { OPERATOR_PORTS } from '../../src/operator/config.ts'
import { OPERATOR_METRICS } from '../../src/operator/metrics.ts'
import { OperatorConfig } from '../../src/operator/run.ts'
import { readDocuments } from '../../src/resources/document.ts'
import { KINDS, parseManifest } from '../../src/resources/manifest.ts'
import { flagOf, variableOf } from '../../src/runtime/config.ts'
import { METRICS } from '../../src/runtime/metrics.ts'
import { PORTS, StandaloneConfig } from '../../src/standalone/config.ts'
import { aManifestFolder, inForce, lineOf, open } from '../support/manifest-folder.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const concepts = read('docs/concepts.md')
const operations = read('docs/operations.md')
const PAGES = ['README.md', ...readdirSync(join(root, 'docs'), { recursive: true }).map((page) => `docs/${page}`)]
  .filter((name) => name.endsWith('.md'))
  .sort()

type Metrics = Readonly<Record<string, { readonly labels: readonly string[] }>>

/** Secrets: a flag is seen by every process of the machine. */
const FOR_NO_FLAG = new Set(['redisPassword'])

describe('the docs', () => {
  test('name every code of a refusal with its status, and no other', () => {
    const rows = concepts.split('\n').filter((line) => /^\| (4|5|401)/.test(line))
    const named = new Map<string, string>()
    for (const row of rows) {
      const [, status = '', codes = ''] = row.split('|')
      for (const [, code = ''] of codes.matchAll(/`([a-z_]+)`/g)) named.set(code, status.trim())
    }
    // said in the paragraphs around: what the proxy's filter could not do, and what tokens will answer once they exist
    const elsewhere = ['filter_failed', 'invalid_token', 'token_expired']
    expect([...named.keys()].sort()).toEqual(
      Object.keys(DENIALS)
        .filter((code) => !elsewhere.includes(code))
        .sort(),
    )
    for (const [code, { status }] of Object.entries(DENIALS)) {
      if (named.has(code)) expect([code, named.get(code)]).toEqual([code, expect.stringContaining(String(status))])
    }
  })

  test('name every header that the upstream gets', () => {
    for (const header of UPSTREAM_HEADERS) expect(concepts).toContain(`\`${header}\``)
  })

  test('name every option with its flag and variable, and every port', () => {
    const rows = new Map<string, string>()
    for (const [name, { shape }] of Object.entries({ standalone: StandaloneConfig, authz: AuthzConfig })) {
      for (const option of Object.keys(shape)) rows.set(option, rows.has(option) ? 'both' : name)
    }
    for (const [option, of] of rows) {
      const flag = FOR_NO_FLAG.has(option) ? 'none' : `\`${flagOf(option)}\``
      const row = operations.split('\n').find((line) => line.startsWith(`| ${flag} | \`${variableOf(option)}\` |`))
      expect([option, row]).toEqual([option, expect.stringContaining(`| ${of} |`)])
    }
    for (const port of Object.values(PORTS)) expect(operations).toContain(`| ${port} |`)
  })

  test('name every option and port of the operator', () => {
    const rows = operations.split('\n')
    for (const option of Object.keys(OperatorConfig.shape)) {
      const row = rows.find((line) => line.startsWith(`| \`${flagOf(option)}\` | \`${variableOf(option)}\` |`))
      expect([option, row]).toEqual([option, expect.any(String)])
    }
    for (const port of Object.values(OPERATOR_PORTS)) expect(operations).toContain(`| ${port} |`)
  })

  test.each([
    ['authz and standalone', METRICS],
    ['the operator', OPERATOR_METRICS],
  ])('name every metric of %s with its labels', (_of, metrics: Metrics) => {
    for (const [name, { labels }] of Object.entries(metrics)) {
      expect(operations).toContain(`| \`${name}\` | ${labels.join(', ')}${labels.length === 0 ? '' : ' '}|`)
    }
  })

  test('link to files that exist', () => {
    for (const page of PAGES) {
      const folder = join(root, page, '..')
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!/^https?:/.test(target)) expect([page, target, exists(join(folder, target))]).toEqual([page, target, true])
      }
    }
  })

  test('name the reason of every dependency', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
    const reasons = read('docs/dependencies.md')
    for (const name of [...Object.keys(dependencies ?? {}), ...Object.keys(devDependencies ?? {})]) {
      expect(reasons).toContain(`| ${name} |`)
    }
  })
})

describe('manifests in the docs', () => {
  const blocks = PAGES.flatMap((page) =>
    [...read(page).matchAll(/^```yaml\n(apiVersion:[\s\S]*?)^```$/gm)].map(([, text = '']) => ({ page, text })),
  )

  test('are what the schemas take', () => {
    expect(blocks.length).toBeGreaterThan(5)
    for (const { page, text } of blocks) {
      const { documents, problems } = readDocuments(text)
      expect([page, problems]).toEqual([page, []])
      for (const { value } of documents) expect([page, parseManifest(value)]).toMatchObject([page, { ok: true }])
    }
  })

  test('can all be in force at once, in one folder', async () => {
    const files = Object.fromEntries(
      blocks.map(({ page, text }, i) => [`${page.replaceAll('/', '-')}-${i}.yaml`, text]),
    )
    const snapshot = await open(aManifestFolder(files)).rescan()
    expect(snapshot.problems.map(lineOf)).toEqual([])
    expect(inForce(snapshot)).toContain('ProtectedApi/team-web/shop')
  })
})

type Shape = {
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** Mappings whose keys are words of a closed list: they are told in one row. */
const IN_ONE_ROW = new Set(['routes[].reach', 'routes[].permissionByMethod'])

type Field = { readonly path: string; readonly needed: boolean; readonly shape: Shape }

function fieldsOf({ properties = {}, required = [] }: Shape, above = ''): readonly Field[] {
  return Object.entries(properties).flatMap(([name, shape]) => {
    const path = `${above}${name}`
    const inner = shape.items === undefined ? fieldsOf(shape, `${path}.`) : fieldsOf(shape.items, `${path}[].`)
    return [{ path, needed: required.includes(name), shape }, ...(IN_ONE_ROW.has(path) ? [] : inner)]
  })
}

/** What must stand in the row of a field. */
function wordsOf({ needed, shape }: Field): readonly string[] {
  const { items = {}, default: given } = shape
  const bounds = [shape.maxLength, items.maxLength, shape.minItems, shape.maxItems, shape.minimum, shape.maximum]
  const names = [...(shape.enum ?? items.enum ?? [])].map((name) => `\`${name}\``)
  return [
    ...bounds.filter((bound) => bound !== undefined).map((bound) => bound.toLocaleString('en')),
    ...names,
    ...(needed ? ['| required |'] : []),
    ...(typeof given === 'object' || given === undefined ? [] : [`| \`${given}\` |`]),
  ]
}

describe('the page of a kind', () => {
  const pages = [
    ['AccessNamespace', 'access-namespace'],
    ['ApiKey', 'api-key'],
    ['ApiKeyClaim', 'api-key-claim'],
    ['ProtectedApi', 'protected-api'],
    ['TokenIssuer', 'token-issuer'],
  ] as const

  test.each(pages)('%s names every field with its bounds, and no other', (kind, page) => {
    const { properties } = z.toJSONSchema(KINDS[kind].schema, { io: 'input' }) as Shape
    const fields = fieldsOf(properties?.spec ?? {})
    const text = read(`docs/resources/${page}.md`)
    const [, table = ''] = /^\| field \| type and bounds [^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/m.exec(text) ?? []
    const rows = new Map(table.split('\n').map((row) => [/^\| `([^`]+)`/.exec(row)?.[1] ?? '', row]))
    rows.delete('')
    expect([...rows.keys()]).toEqual(fields.map(({ path }) => path))
    for (const field of fields) {
      for (const word of wordsOf(field)) expect(rows.get(field.path)).toContain(word)
    }
  })

  test.each(pages)('%s has its parts in the order of every page', (_kind, page) => {
    const headings = [...read(`docs/resources/${page}.md`).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual(['Example', 'Writing a spec', 'Working with it', 'Status and conditions'])
  })
})

function exists(path: string): boolean {
  try {
    readdirSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR'
  }
}
