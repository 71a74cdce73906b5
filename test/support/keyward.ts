/** `keyward` as people type it: a process of its own, and what it says. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

/** @param home in whose cache it keeps what it compiled */
export async function runKeyward(args: readonly string[], home: string): Promise<Ran> {
  const env = { PATH: process.env.PATH, HOME: home }
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code, out, err }
}
