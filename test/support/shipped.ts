/** A proxy on the configuration that is shipped for it: a copy of `examples/<proxy>` with nothing but its ports and paths replaced. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask } from './ask.ts'
import { type Part, part } from './parts.ts'
import { freePort, startProcess, temporaryFolder, untilReady } from './process.ts'
import { withPorts } from './shipped-ports.ts'

export type ShippedOptions = {
  /** Keyward's HTTP check. */
  readonly checkPort: number
  /** Keyward's ext_authz over gRPC. */
  readonly grpcPort: number
  readonly upstreamPort: number
  /** What a test changes on purpose, in the text of every file. */
  readonly edit?: (text: string) => string
}

export type ShippedProxy = {
  readonly port: number
  /** What the proxy wrote so far. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

export type Shipped = {
  readonly part: Part
  /** A folder of `examples/`. */
  readonly folder: string
  /** How the proxy is started in a folder of its own. */
  readonly args: (folder: string) => readonly string[]
}

const EXAMPLES = join(import.meta.dirname, '../../examples')

/** Ready, which is to say it answers something, when it resolves. */
export async function startShipped(shipped: Shipped, options: ShippedOptions): Promise<ShippedProxy> {
  const port = await freePort()
  const folder = ownFolder(shipped.folder, port, options)
  const running = startProcess(part(shipped.part), shipped.args(folder), { cwd: folder })
  await untilReady(`${shipped.part} answers`, {
    process: running,
    ready: () =>
      ask(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      ),
  })
  return { port, output: running.output, stop: async () => void (await running.stop()) }
}

function ownFolder(name: string, port: number, { checkPort, grpcPort, upstreamPort, edit }: ShippedOptions): string {
  const folder = temporaryFolder()
  cpSync(join(EXAMPLES, name), folder, { recursive: true })
  const ports = { proxy: port, upstream: upstreamPort, check: checkPort, grpc: grpcPort }
  for (const file of readdirSync(folder)) {
    const path = join(folder, file)
    const text = withPorts(readFileSync(path, 'utf8'), ports).replaceAll('/tmp/nginx-keyward', join(folder, 'nginx'))
    writeFileSync(path, edit === undefined ? text : edit(text))
  }
  return folder
}
