/** Which way data and imports go, and what each place may do: read from the lines of `src`, file by file. */
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

type Import = {
  /** `core/credential.ts`, or the name of a package. */
  readonly from: string
  readonly local: boolean
  readonly typeOnly: boolean
}

type Source = {
  /** `core/credential.ts`. */
  readonly path: string
  readonly folder: string
  /** Without comments, strings kept. */
  readonly code: string
  readonly lines: number
  readonly pure: boolean
  readonly imports: readonly Import[]
}

const SRC = join(import.meta.dirname, '../../src')

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<=^|[\s;,{(])\/\/[^\n]*/g, '')

const IMPORT = /^import\b([^'";]*?)(?:\bfrom\s*)?['"]([^'"]+)['"]/gm
const PASSED_ON = /^export\s+((?:type\s*)?(?:\*|\{[^}]*\})[^'"]*?)\bfrom\s*['"]([^'"]+)['"]/gm
const LATE = /\bimport\((\s*)['"]([^'"]+)['"]/g

function importsOf(code: string, path: string): Import[] {
  const matches = [IMPORT, PASSED_ON, LATE].flatMap((form) => [...code.matchAll(form)])
  const found = matches.map(([, what = '', from = '']) => ({ what, from }))
  return found.map(({ what, from }) => {
    const local = from.startsWith('.')
    return { from: local ? normalize(join(dirname(path), from)) : from, local, typeOnly: /^\s*type\b/.test(what) }
  })
}

function read(path: string): Source {
  const text = readFileSync(join(SRC, path), 'utf8')
  const code = withoutComments(text)
  const folder = path.includes('/') ? dirname(path) : ''
  const lines = text.split('\n').length - 1
  const pure = folder === 'core' || /\bPURE\b/.test(text.split('\n', 3).join('\n'))
  return { path, folder, code, lines, pure, imports: importsOf(code, path) }
}

const SOURCES = globSync('**/*.ts', { cwd: SRC }).sort().map(read)
const BY_PATH = new Map(SOURCES.map((source) => [source.path, source]))

/** What a folder may import besides itself. A part stands on these and never on another part. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  core: [],
  resources: ['core'],
  'resources/crd': ['core', 'resources'],
  runtime: ['core'],
  enforce: ['core'],
  kube: ['core', 'resources', 'runtime', 'enforce'],
  redis: ['core', 'runtime', 'enforce'],
  folder: ['core', 'resources', 'runtime', 'enforce'],
  operator: ['core', 'resources', 'runtime', 'enforce'],
  webhook: ['core', 'resources', 'runtime', 'enforce'],
  authz: ['core', 'resources', 'runtime', 'enforce'],
  sidecar: ['core', 'resources', 'runtime', 'enforce'],
  console: ['core', 'resources', 'runtime', 'enforce'],
  'console/web': [],
  cli: ['core', 'resources', 'runtime', 'enforce'],
  standalone: ['core', 'resources', 'runtime', 'enforce', 'standalone/rest'],
  'standalone/rest': ['core', 'resources', 'resources/crd', 'runtime'],
}

/** Packages that only some places may know; any other package is open to runtime, the adapters and the parts. */
const CLOSED_TO_PACKAGES: Readonly<Record<string, RegExp>> = {
  core: /^node:crypto$/,
  resources: /^(zod|js-yaml)$/,
  'resources/crd': /^(zod|js-yaml)$/,
  enforce: /^jose$/,
}

const ADAPTERS = ['kube', 'redis', 'folder']
/** What the operator says that it needs from a cluster, as types. */
const OPERATORS_PORTS = /^operator\/(key-port|world|claims|plan)\.ts$/
const EXCEPTIONS: readonly { readonly from: string; readonly to: RegExp; readonly typesOnly?: true }[] = [
  { from: 'cli/verify.ts', to: /^folder\/manifests\.ts$/ },
  { from: 'operator/run.ts', to: /^webhook\// },
  { from: 'operator/admission.ts', to: /^(webhook|kube)\// },
  { from: 'operator/capping.ts', to: /^webhook\// },
  { from: 'operator/capping.ts', to: /^kube\//, typesOnly: true },
  { from: 'standalone/run.ts', to: /./ },
  // the listeners' half of the wiring of standalone
  { from: 'standalone/listeners.ts', to: /^(authz|sidecar)\// },
  // and the API's half
  { from: 'standalone/api.ts', to: /^(folder|kube|operator)\// },
  { from: 'main.ts', to: /^(core|runtime|cli|folder)\/|\/run\.ts$/ },
]

const excepts = ({ from, to, typesOnly }: (typeof EXCEPTIONS)[number], source: Source, wanted: Import): boolean =>
  from === source.path && to.test(wanted.from) && (typesOnly === undefined || wanted.typeOnly)

function mayImport(source: Source, wanted: Import): boolean {
  if (!wanted.local) return CLOSED_TO_PACKAGES[source.folder]?.test(wanted.from) ?? true
  if (EXCEPTIONS.some((exception) => excepts(exception, source, wanted))) return true
  const folder = dirname(wanted.from)
  if (source.folder !== '' && folder === source.folder) return basename(wanted.from) !== 'run.ts'
  if (source.folder === 'kube' && wanted.typeOnly && OPERATORS_PORTS.test(wanted.from)) return true
  if (ADAPTERS.includes(folder)) return basename(source.path) === 'run.ts'
  return BELOW[source.folder]?.includes(folder) ?? false
}

/** Every source that breaks a rule, with what it breaks it by. */
const breaking = (rule: (source: Source) => readonly string[]): string[] =>
  SOURCES.flatMap((source) => rule(source).map((how) => `${source.path}: ${how}`))

const found = (source: Source, pattern: RegExp): string[] => [...source.code.matchAll(pattern)].map(([text]) => text)

const CLOCK_OR_CHANCE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.|\bMath\.random\b|\brandom(Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b|\bset(Timeout|Interval|Immediate)\b/g
const OUTSIDE = /\basync\b|\bawait\b|\bPromise\b|\bprocess\.|\bconsole\.|\bfetch\(/g

const impurities = (source: Source): string[] => [...found(source, CLOCK_OR_CHANCE), ...found(source, OUTSIDE)]

describe('imports', () => {
  test('are seen, in all the forms there are', () => {
    const code = [
      "import 'a'",
      "import b from 'b'",
      "import { c, type C } from './c.ts'",
      "import type { D } from '../other/d.ts'",
      'import {\n  e,\n} from "e"',
      "export * from 'f'",
      "export type { G } from './g.ts'",
      "export const x = 'from here'",
      "const h = await import('./h.ts')",
    ].join('\n')
    expect(importsOf(code, 'part/x.ts').map(({ from, typeOnly }) => `${from}${typeOnly ? ' (type)' : ''}`)).toEqual([
      'a',
      'b',
      'part/c.ts',
      'other/d.ts (type)',
      'e',
      'f',
      'part/g.ts (type)',
      'part/h.ts',
    ])
    expect(SOURCES.filter(({ imports }) => imports.length > 0).length).toBeGreaterThan(50)
  })

  test('point to core, never from one part to another', () => {
    expect(
      breaking((source) =>
        source.imports.filter((one) => !mayImport(source, one)).map(({ from }) => `imports ${from}`),
      ),
    ).toEqual([])
  })

  test('name files that exist, with their ending', () => {
    const paths = new Set(SOURCES.map(({ path }) => path))
    expect(
      breaking(({ imports }) => imports.filter((one) => one.local && !paths.has(one.from)).map(({ from }) => from)),
    ).toEqual([])
  })

  test('make no circle, but for types', () => {
    const edges = new Map(
      SOURCES.map(({ path, imports }) => [
        path,
        imports.filter((one) => one.local && !one.typeOnly).map(({ from }) => from),
      ]),
    )
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (path: string, line: readonly string[]): void => {
      if (line.includes(path)) circles.push([...line.slice(line.indexOf(path)), path].join(' -> '))
      if (line.includes(path) || done.has(path)) return
      for (const next of edges.get(path) ?? []) walk(next, [...line, path])
      done.add(path)
    }
    for (const { path } of SOURCES) walk(path, [])
    expect(circles).toEqual([])
  })
})

describe('core, and files marked PURE wherever they lie', () => {
  const inPure = (rule: (source: Source) => readonly string[]) =>
    breaking((source) => (source.pure ? rule(source) : []))

  test('use what is pure itself', () => {
    const cache = new Map<string, boolean>()
    // whether marked or not: what counts is what a file does, and what it uses
    const isPure = (path: string): boolean => {
      const known = cache.get(path)
      if (known !== undefined) return known
      cache.set(path, true)
      const source = BY_PATH.get(path)
      const answer = source !== undefined && impurities(source).length === 0 && source.imports.every(pureImport)
      cache.set(path, answer)
      return answer
    }
    const pureImport = ({ from, local, typeOnly }: Import): boolean =>
      typeOnly || (local ? isPure(from) : /^(node:crypto|zod)$/.test(from))
    expect(
      inPure(({ imports }) => imports.filter((one) => !pureImport(one)).map(({ from }) => `imports ${from}`)),
    ).toEqual([])
  })

  test('know no clock, no chance and no process, and wait for nothing', () => {
    expect(inPure(impurities)).toEqual([])
  })
})

describe('one place each', () => {
  test('only main.ts touches process.env, process.argv and process.exit', () => {
    expect(
      breaking((source) =>
        source.path === 'main.ts'
          ? []
          : [
              ...found(source, /\bprocess\.(env|argv|exit\w*|on|once|stdin|stdout|stderr|cwd)\b/g),
              ...source.imports.filter(({ from }) => /^(node:)?process$/.test(from)).map(({ from }) => from),
            ],
      ),
    ).toEqual([])
  })

  test('only runtime/system.ts knows the clock and chance', () => {
    expect(
      breaking((source) =>
        source.path === 'runtime/system.ts'
          ? []
          : found(
              source,
              /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.|\bMath\.random\b|\brandom(Bytes|UUID|Int|FillSync|Fill)\b|\bgetRandomValues\b/g,
            ),
      ),
    ).toEqual([])
  })
})

describe('the shape of the tree', () => {
  test('a file has at most 300 lines: what is longer has two ideas', () => {
    expect(breaking(({ lines }) => (lines > 300 ? [`${lines} lines`] : []))).toEqual([])
  })

  test('no file is a heap: no index, utils, helpers, types', () => {
    expect(
      breaking(({ path }) =>
        /(^|\/)(index|types|utils?|helpers?|misc)\.ts$|-(utils?|helpers?|types)\.ts$/.test(path) ? ['a heap'] : [],
      ),
    ).toEqual([])
  })

  test('folders lie one level below src, are the known ones, and file names are kebab-case', () => {
    expect(
      breaking(({ path, folder }) => [
        ...(folder === ''
          ? path === 'main.ts'
            ? []
            : ['lies in no folder']
          : folder in BELOW
            ? []
            : ['an unknown folder']),
        ...(/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(basename(path)) ? [] : ['not kebab-case']),
      ]),
    ).toEqual([])
  })

  test('the first line of a file says its one idea', () => {
    const silent = SOURCES.filter(({ path }) => !/^(#!.*\n)?\/\*\*|^\/\//.test(readFileSync(join(SRC, path), 'utf8')))
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  test('nothing is exported by default', () => {
    expect(breaking((source) => found(source, /^export default\b/gm))).toEqual([])
  })
})
