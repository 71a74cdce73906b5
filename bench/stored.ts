/** A folder that a standalone has accepted and stored, so that `keyward authz` can read it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FolderShape, writeFolder } from './folder.ts'
import { start } from './server.ts'

const OFFSET = 22_600

export type Stored = {
  readonly manifests: string
  readonly data: string
  /** Its credentials. */
  readonly keys: readonly string[]
}

export async function storeFolder(dir: string, count: number, shape: FolderShape): Promise<Stored> {
  const [manifests, data] = [join(dir, 'manifests'), join(dir, 'data')]
  const keys = writeFolder(manifests, count, shape)
  const where = ['--manifests', manifests, '--data', data, '--port-offset', String(OFFSET), '--log-level', 'warn']
  const command = [process.execPath, 'src/main.ts', 'standalone', ...where]
  const standalone = await start({ core: 0, command, port: 9090 + OFFSET })
  await ready(9090 + OFFSET)
  await standalone.stop()
  return { manifests, data, keys }
}

/** Resolves when `/readyz` on this port is 200. */
export async function ready(port: number): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(50)) {
    const status = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 200) return
  }
  throw new Error(`port ${port} was not ready after a minute`)
}
