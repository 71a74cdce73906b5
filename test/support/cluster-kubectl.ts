/** kubectl as a person or a workload runs it, against the cluster of a test. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ControlPlane } from './control-plane.ts'

export type KubectlOptions = {
  /** For `-f -`. */
  readonly input?: string
  /** A person, whom the administrator stands for. */
  readonly as?: { readonly user: string; readonly groups?: readonly string[] }
  /** A folder that `serviceAccount` gave: its token instead of the administrator's. */
  readonly serviceAccount?: string
}

export type Ran = { readonly stdout: string; readonly stderr: string; readonly status: number }

export type KubectlRun = {
  readonly plane: Pick<ControlPlane, 'kubectl' | 'kubeconfig' | 'server' | 'caFile'>
  readonly dir: string
  readonly args: readonly string[]
  readonly options: KubectlOptions
}

export async function runKubectl({ plane, dir, args, options }: KubectlRun): Promise<Ran> {
  const flags = [`--cache-dir=${join(dir, 'kubectl')}`, ...identity(plane, options)]
  const child = spawn(plane.kubectl, [...flags, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // what a developer set up for kubectl is no affair of a test
    env: { PATH: process.env.PATH, HOME: dir, KUBECTL_KUBERC: 'false' },
  })
  // it may end without having read it
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { stdout, stderr, status }
}

function identity({ kubeconfig, server, caFile }: KubectlRun['plane'], options: KubectlOptions): readonly string[] {
  const { as, serviceAccount } = options
  if (serviceAccount !== undefined) {
    const token = readFileSync(join(serviceAccount, 'token'), 'utf8')
    return [`--server=${server}`, `--certificate-authority=${caFile}`, `--token=${token}`]
  }
  const groups = as?.groups ?? []
  return [
    `--kubeconfig=${kubeconfig}`,
    ...(as === undefined ? [] : [`--as=${as.user}`, ...groups.map((group) => `--as-group=${group}`)]),
  ]
}
