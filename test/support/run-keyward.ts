/** `keyward` as an administrator types it on the cluster of a test, in a process of its own that ends by itself. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Cluster } from './cluster.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

export async function runKeyward(
  cluster: Pick<Cluster, 'dir' | 'kubeconfig'>,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string; readonly status: number }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: cluster.dir, KUBECONFIG: cluster.kubeconfig },
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { stdout, stderr, status }
}
