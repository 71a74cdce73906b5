/** 10,000 keys at once in a process of their own: handed over for the first time, then loaded again. Prints figures as JSON. Argument: a folder. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AcceptedChange } from '../../src/folder/accepted.ts'
import { openAll } from './kill-child.ts'

const KEYS = 10_000

const put = (i: number): AcceptedChange => ({
  kind: 'put',
  accepted: {
    kind: 'ApiKey',
    namespace: 'default',
    name: `key-${i}`,
    uid: `00000000-0000-4000-8000-${((i * 7919) % 1_000_003).toString(16).padStart(12, '0')}`,
    generation: 1,
    manifest: { expiresAt: Date.now() + 30 * 86_400_000 },
    file: 'keys.yaml',
    line: i,
    firstSeenMs: 1,
  },
})

type At = { readonly wall: number; readonly cpu: NodeJS.CpuUsage }

const at = (): At => ({ wall: performance.now(), cpu: process.cpuUsage() })

const between = (from: At, to: At) => ({
  wallMs: Math.round(to.wall - from.wall),
  cpuMs: Math.round((to.cpu.user - from.cpu.user + to.cpu.system - from.cpu.system) / 1000),
})

async function measure(root: string) {
  const [dir, newKeysFile] = [join(root, 'data'), join(root, 'new-keys.jsonl')]
  const lines = () => readFileSync(newKeysFile, 'utf8').split('\n').length - 1
  const round = async () => {
    const start = at()
    const { store, keyring } = openAll(dir, newKeysFile)
    keyring.load()
    const inForce = at()
    await keyring.idle()
    const done = at()
    await keyring.stop()
    await store.close()
    return { inForce: between(start, inForce), done: between(inForce, done), lines: lines() }
  }
  const empty = openAll(dir, newKeysFile)
  empty.store.forms.apply(Array.from({ length: KEYS }, (_, i) => put(i)))
  await empty.store.close()
  return { first: await round(), again: await round() }
}

const [, script, root] = process.argv
if (script === import.meta.filename && root !== undefined) console.log(JSON.stringify(await measure(root)))
