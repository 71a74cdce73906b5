/** Starts one of examples/ with its upstream on a copy of its manifests, says what to try, and leaves nothing behind. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PORTS } from '../src/standalone/config.ts'
import { EXAMPLES, type Example } from './examples.ts'
import {
  answers,
  begin,
  listening,
  Missing,
  portOffsetOf,
  refuseOldNode,
  refuseTakenPorts,
  type Started,
  startProgram,
  untilStopped,
} from './starting.ts'

type NewKey = { readonly namespace: string; readonly name: string; readonly key: string }

/** Whatever standalone listens on: what is forgotten here ends it with fewer words. */
const PORT_WORDS: Readonly<Record<keyof typeof PORTS, string>> = {
  proxy: 'the protected API',
  api: "the API of Keyward's objects",
  check: 'the HTTP check',
  grpc: 'the gRPC check',
  metrics: 'metrics and health',
}
const ROOT = join(import.meta.dirname, '..')

const say = (text: string): void => console.log(text)

function asked(): { readonly name: string; readonly example: Example; readonly offset: number } {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { 'port-offset': { type: 'string' } } })
  // make hands over what stands on its command line as variables
  const [name = process.env.EXAMPLE ?? 'licensing'] = positionals
  const example = EXAMPLES[name]
  if (example === undefined) throw new Missing(`no example ${name}; there are ${Object.keys(EXAMPLES).join(' and ')}`)
  return { name, example, offset: portOffsetOf(values['port-offset'] ?? process.env.PORT_OFFSET ?? '', 50_000) }
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

const start = (home: Home, { upstream, offset }: { readonly upstream: string; readonly offset: number }): Started =>
  startProgram({
    name: 'Keyward',
    path: process.execPath,
    args: [
      ...[join(ROOT, 'src/main.ts'), 'standalone', '--manifests', home.manifests, '--data', join(home.folder, 'data')],
      ...['--new-keys', home.newKeys, '--upstream', upstream, '--port-offset', String(offset)],
    ],
    log: home.log,
  })

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
  const proxy = `http://127.0.0.1:${PORTS.proxy + offset}`
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

async function run(): Promise<void> {
  refuseOldNode()
  const { name, example, offset } = asked()
  const ports = Object.entries(PORT_WORDS).map(([of, what]) => ({
    port: PORTS[of as keyof typeof PORTS] + offset,
    what,
  }))
  await refuseTakenPorts(ports, `make run PORT_OFFSET=${offset + 100}`)
  say(`Starting examples/${name}: its API, and Keyward in front of it. No key exists yet.`)
  const home = newHome(name)
  const server = example.upstream({ manifests: home.manifests })
  const keyward = start(home, { upstream: `http://127.0.0.1:${await listening(server)}`, offset })
  const stopped = untilStopped([['Keyward', keyward.child]])
  try {
    const ready = keyward.untilReady(() => answers(`http://127.0.0.1:${PORTS.metrics + offset}/readyz`))
    const isReady = ready.then(() => true)
    // what ends by itself is told, with what it wrote, by the other
    if ((await Promise.race([isReady, stopped])) === undefined) return
    await ready
    say(describe(example, { home, offset }))
    const watching = sayNewKeys(home.newKeys)
    const ended = await stopped
    clearInterval(watching)
    if (ended !== undefined) throw new Missing(`Keyward ended by itself (exit code ${keyward.child.exitCode})`)
    say('Stopping.')
  } finally {
    await keyward.stop()
    server.close()
    server.closeAllConnections()
    rmSync(home.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

begin(run)
