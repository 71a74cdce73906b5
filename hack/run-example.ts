/** Starts one of examples/ with its upstream on a copy of its manifests, says what to try, and leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EXAMPLES, type Example } from './examples.ts'

type NewKey = { readonly namespace: string; readonly name: string; readonly key: string }

/** What could not be had, in words for whoever typed the command. */
class Missing extends Error {}

const PORTS = [
  { port: 8080, what: 'the protected API' },
  { port: 9000, what: 'the HTTP check' },
  { port: 9090, what: 'metrics and health' },
] as const
const READY_WITHIN_S = 30
const ROOT = join(import.meta.dirname, '..')

const say = (text: string): void => console.log(text)

function asked(): { readonly name: string; readonly example: Example; readonly offset: number } {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { 'port-offset': { type: 'string' } } })
  // make hands over what stands on its command line as variables
  const [name = process.env.EXAMPLE ?? 'licensing'] = positionals
  const example = EXAMPLES[name]
  if (example === undefined) throw new Missing(`no example ${name}; there are ${Object.keys(EXAMPLES).join(' and ')}`)
  const text = values['port-offset'] ?? process.env.PORT_OFFSET ?? ''
  const offset = Number(text)
  if (!Number.isInteger(offset) || offset < 0 || offset > 50_000) {
    throw new Missing(`the port offset is ${text}, and must be a whole number from 0 to 50000`)
  }
  return { name, example, offset }
}

function refuseOldNode(): void {
  const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && (minor > 14 || (minor === 14 && patch >= 1)))) return
  throw new Missing(`Node 24.14.1 or newer is needed, and this is ${process.versions.node}; make run brings its own`)
}

async function refuseTakenPorts(offset: number): Promise<void> {
  const problems: string[] = []
  for (const { port, what } of PORTS) {
    const problem = await problemOf(port + offset)
    if (problem !== undefined) problems.push(`port ${port + offset} of 127.0.0.1, for ${what}: ${problem}`)
  }
  if (problems.length === 0) return
  problems.push(`end what listens there, or move all ports up: make run PORT_OFFSET=${offset + 100}`)
  throw new Missing(problems.join('\n  '))
}

function problemOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'EADDRINUSE' ? 'another process listens on it' : `can't be had (${code})`)
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)))
  })
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Home = { readonly folder: string; readonly manifests: string; readonly newKeys: string; readonly log: string }

function newHome(name: string): Home {
  const folder = mkdtempSync(join(tmpdir(), `keyward-${name}-`))
  const home = {
    folder,
    manifests: join(folder, 'manifests'),
    newKeys: join(folder, 'new-keys.jsonl'),
    log: join(folder, 'keyward.log'),
  }
  cpSync(join(ROOT, 'examples', name, 'manifests'), home.manifests, { recursive: true })
  return home
}

function start(home: Home, { upstream, offset }: { readonly upstream: string; readonly offset: number }): ChildProcess {
  const log = openSync(home.log, 'a')
  return spawn(
    process.execPath,
    [
      ...[join(ROOT, 'src/main.ts'), 'standalone', '--manifests', home.manifests, '--data', join(home.folder, 'data')],
      ...['--new-keys', home.newKeys, '--upstream', upstream, '--port-offset', String(offset)],
    ],
    // a group of its own: Ctrl-C reaches us alone, and Keyward gets one orderly request to stop
    { stdio: ['ignore', log, log], detached: true },
  )
}

async function untilReady(child: ChildProcess, { home, admin }: { readonly home: Home; readonly admin: string }) {
  const end = performance.now() + READY_WITHIN_S * 1000
  const wrote = () => `it wrote:\n${readFileSync(home.log, 'utf8').split('\n').slice(-20).join('\n')}`
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Missing(`Keyward ended by itself (exit code ${child.exitCode}); ${wrote()}`)
    const ready = await fetch(`${admin}/readyz`).catch(() => undefined)
    if (ready?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Missing(`Keyward is not ready after ${READY_WITHIN_S} s; ${wrote()}`)
}

const keysOf = (file: string): readonly NewKey[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line): NewKey => JSON.parse(line))
    : []

function describe(example: Example, { home, offset }: { readonly home: Home; readonly offset: number }): string {
  const keys = keysOf(home.newKeys)
  const width = Math.max(...keys.map(({ name }) => name.length))
  const keyOf = (name: string) => keys.find((key) => key.name === name)?.key ?? `<no key ${name}>`
  const proxy = `http://127.0.0.1:${8080 + offset}`
  return `
New keys. They are shown this once: Keyward keeps their digests only.

${keys.map(({ name, key }) => `  ${name.padEnd(width)}  ${key}`).join('\n')}

${example.toTry((key, more = '') => `curl -i -H 'X-API-Key: ${keyOf(key)}' ${more} ${proxy}`)}

Edit a file in ${home.manifests} (a copy): it is in force within a second.
What Keyward says of it is in ${home.log}.
Ctrl-C stops all of it and removes both.
`
}

/** A regenerated key is shown once as well, as soon as it is there. */
function sayNewKeys(file: string): NodeJS.Timeout {
  let shown = keysOf(file).length
  return setInterval(() => {
    const keys = keysOf(file)
    for (const { name, key } of keys.slice(shown)) say(`A new key for ${name}: ${key}`)
    shown = keys.length
  }, 300)
}

/** Resolves at the first SIGINT or SIGTERM, or when Keyward ends by itself. */
const untilStopped = (child: ChildProcess): Promise<'asked' | 'ended'> =>
  new Promise((resolve) => {
    process.once('SIGINT', () => resolve('asked'))
    process.once('SIGTERM', () => resolve('asked'))
    child.once('exit', () => resolve('ended'))
  })

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(late)
}

async function run(): Promise<void> {
  refuseOldNode()
  const { name, example, offset } = asked()
  await refuseTakenPorts(offset)
  say(`Starting examples/${name}: its API, and Keyward in front of it. No key exists yet.`)
  const home = newHome(name)
  const server = example.upstream({ manifests: home.manifests })
  const child = start(home, { upstream: await listening(server), offset })
  const killChild = () => child.kill('SIGKILL')
  process.once('exit', killChild)
  const stopped = untilStopped(child)
  try {
    const ready = untilReady(child, { home, admin: `http://127.0.0.1:${9090 + offset}` })
    const early = await Promise.race([ready, stopped])
    if (early === 'asked') return
    await ready
    say(describe(example, { home, offset }))
    const watching = sayNewKeys(home.newKeys)
    const how = await stopped
    clearInterval(watching)
    if (how === 'ended') throw new Missing(`Keyward ended by itself (exit code ${child.exitCode})`)
    say('Stopping.')
  } finally {
    await stopChild(child)
    process.off('exit', killChild)
    server.close()
    server.closeAllConnections()
    rmSync(home.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

run().catch((error: unknown) => {
  if (!(error instanceof Missing)) throw error
  console.error(`Can't start:\n  ${error.message}`)
  process.exitCode = 1
})
