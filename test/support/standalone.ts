/** `keyward standalone` as its users start it: a process of its own on free ports, over a folder that a test edits. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { ask } from './ask.ts'
import { takeSlot, unlessPortsAreTaken } from './port-slot.ts'
import { until } from './until.ts'

/** A line of the `--new-keys` file. */
export type NewKey = {
  readonly namespace: string
  readonly name: string
  readonly id: string
  readonly secret: string
  readonly key: string
}

export type StandaloneOptions = {
  /** File names and their text, or a folder that is copied. */
  readonly manifests?: Readonly<Record<string, string>> | string
  /** A home made before, or that of an earlier standalone, to start on its manifests, data and new keys. */
  readonly home?: string
  readonly upstream?: string | undefined
  /** false: nobody receives new keys by themselves, so that they wait to be claimed. */
  readonly newKeys?: boolean
  /** Further arguments, last. */
  readonly args?: readonly string[]
  /** false: return as soon as the process runs, for tests of a start that fails or takes its time. */
  readonly ready?: boolean
}

export type Standalone = {
  /** The reverse proxy; checkUrl: the HTTP check; adminUrl: `/readyz`, `/livez`, `/metrics`. */
  readonly url: string
  readonly checkUrl: string
  readonly adminUrl: string
  /** Holds `manifests/`, `data/` and `new-keys.jsonl`. */
  readonly home: string
  readonly manifests: string
  readonly data: string
  readonly newKeysFile: string
  readonly process: ChildProcess
  /** Every line of the new-keys file so far, in its order. */
  readonly keys: () => readonly NewKey[]
  /** The newest credential of `namespace/name`, as soon as it was handed over `version` times. */
  readonly key: (name: string, version?: number, withinMs?: number) => Promise<NewKey>
  /** Writes a manifest file as an editor does: under another name first, then renamed. */
  readonly edit: (file: string, text: string) => void
  /** Edits one file by replacing text that must occur in it. */
  readonly replace: (file: string, before: string | RegExp, after: string) => void
  readonly read: (file: string) => string
  readonly remove: (file: string) => void
  /** What the process wrote to stdout and stderr so far. */
  readonly output: () => string
  readonly ready: () => Promise<void>
  /** SIGTERM, and its exit code. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const START_WITHIN_MS = 60_000

const running = new Map<ChildProcess, Promise<unknown>>()
const homes = new Set<string>()
const killAll = () => {
  for (const child of running.keys()) child.kill('SIGKILL')
}
const removeHomes = () => {
  for (const home of homes) rmSync(home, { recursive: true, force: true, maxRetries: 5 })
}
afterAll(async () => {
  killAll()
  await Promise.all(running.values())
  removeHomes()
})
// a test run that is interrupted leaves neither processes nor files behind
process.once('exit', () => {
  killAll()
  removeHomes()
})

/** Starts it and waits until it is ready. What still runs when the test file ends is killed, and its home removed. */
export function startStandalone(options: StandaloneOptions): Promise<Standalone> {
  const home = options.home ?? newHome(options.manifests ?? {})
  return unlessPortsAreTaken(() => startAt(home, options))
}

async function startAt(home: string, options: Omit<StandaloneOptions, 'home'>): Promise<Standalone> {
  const [manifests, data, newKeysFile] = ['manifests', 'data', 'new-keys.jsonl'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ]
  const slot = await takeSlot()
  const { offset } = slot
  const child = spawn(
    process.execPath,
    [
      ...[MAIN, 'standalone', '--manifests', manifests, '--data', data],
      ...(options.newKeys === false ? [] : ['--new-keys', newKeysFile]),
      ...['--port-offset', String(offset)],
      ...(options.upstream === undefined ? [] : ['--upstream', options.upstream]),
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const written: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => written.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => written.push(chunk))
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      void slot.free().then(() => resolve(code))
    })
  })
  running.set(child, exited)
  const output = () => Buffer.concat(written).toString('utf8')
  const adminUrl = `http://127.0.0.1:${9090 + offset}`
  const ready = () => untilReady(adminUrl, child, output)
  const keys = () => newKeysOf(newKeysFile)
  const pathOf = (file: string) => join(manifests, file)
  const edit = (file: string, text: string) => writeByRename(pathOf(file), text)
  const read = (file: string) => readFileSync(pathOf(file), 'utf8')
  const stopWith = (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal)
    return exited
  }
  if (options.ready !== false) await ready()
  return {
    url: `http://127.0.0.1:${8080 + offset}`,
    checkUrl: `http://127.0.0.1:${9000 + offset}`,
    adminUrl,
    home,
    manifests,
    data,
    newKeysFile,
    process: child,
    keys,
    key: (name, version = 1, withinMs) =>
      until(
        `version ${version} of ${name} is in the new-keys file`,
        () => {
          const own = keys().filter((key) => `${key.namespace}/${key.name}` === name)
          return own.length >= version ? own.at(-1) : undefined
        },
        withinMs,
      ),
    edit,
    replace: (file, before, after) => {
      const text = read(file)
      const changed = text.replace(before, after)
      if (changed === text) throw new Error(`${file} holds no ${String(before)}`)
      edit(file, changed)
    },
    read,
    remove: (file) => rmSync(pathOf(file)),
    output,
    ready,
    stop: () => stopWith('SIGTERM'),
    kill: async () => void (await stopWith('SIGKILL')),
  }
}

/** A folder with `manifests/`; removed when the test file ends. */
export function newHome(manifests: Readonly<Record<string, string>> | string): string {
  const home = mkdtempSync(join(tmpdir(), 'keyward-test-'))
  homes.add(home)
  const folder = join(home, 'manifests')
  mkdirSync(folder)
  if (typeof manifests === 'string') cpSync(manifests, folder, { recursive: true })
  else for (const [file, text] of Object.entries(manifests)) writeByRename(join(folder, file), text)
  return home
}

function writeByRename(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  // a name that begins with a dot is not read
  const draft = join(dirname(path), `.${basename(path)}.new`)
  writeFileSync(draft, text)
  renameSync(draft, path)
}

function newKeysOf(file: string): readonly NewKey[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  // what stands behind the last line break is not yet a line
  return lines.slice(0, -1).map((line) => JSON.parse(line) as NewKey)
}

async function untilReady(adminUrl: string, child: ChildProcess, output: () => string): Promise<void> {
  await until(
    'standalone is ready',
    async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`standalone ended (${child.exitCode ?? child.signalCode}) before it was ready:\n${output()}`)
      }
      const answer = await ask(`${adminUrl}/readyz`).catch(() => undefined)
      return answer?.status === 200
    },
    START_WITHIN_MS,
  ).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error instanceof Error && error.message.startsWith('not so')
      ? new Error(`${error.message}; it wrote:\n${output()}`)
      : error
  })
}
