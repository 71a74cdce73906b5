/** `make cluster`, as far as it is not make: what it prints works when pasted, and it leaves nothing behind. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { ON_KIND } from '../support/cluster.ts'
import { takeSlot } from '../support/port-slot.ts'
import { until } from '../support/until.ts'

const SCRIPT = join(import.meta.dirname, '../../hack/run-cluster.ts')

const slot = await takeSlot()
const child = spawn(process.execPath, [SCRIPT, '--port-offset', String(slot.offset)])
let said = ''
for (const stream of [child.stdout, child.stderr]) {
  stream.on('data', (chunk) => {
    said += chunk
  })
}
const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
afterAll(async () => {
  // asked, not killed: what it started itself must end with it
  child.kill('SIGTERM')
  await ended
  await slot.free()
})

const bash = async (...lines: string[]): Promise<string> =>
  (await promisify(execFile)('bash', ['-c', lines.join('\n')])).stdout

test.skipIf(ON_KIND)(
  'its lines are answered with 200, 403 and, once the key is suspended, 401; Ctrl-C ends it cleanly',
  async () => {
    await until('it says how to stop, or why it can not', () => /Ctrl-C|Can't/.test(said), 90_000)
    const pasted = (start: RegExp) => said.split('\n').filter((line) => start.test(line))
    const [exported = ''] = pasted(/^ {2}export /)
    const [key = ''] = pasted(/^ {2}KEY=/)
    const [allowed = '', refused = ''] = pasted(/^ {2}curl /)
    const [suspend = ''] = pasted(/^ {2}kubectl patch /)

    const statuses = await bash(exported, key, allowed, refused)
    expect([...statuses.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)).toEqual(['200', '403'])
    expect(await bash(exported, ...pasted(/^ {2}kubectl get /))).toContain('website')
    await bash(exported, suspend)
    await until('its key is refused', async () => (await bash(exported, key, allowed)).startsWith('HTTP/1.1 401'))

    const [, folder = ''] = /KUBECONFIG=(\S+)\/admin\.kubeconfig/.exec(said) ?? []
    expect(existsSync(folder)).toBe(true)
    child.kill('SIGINT')
    expect(await ended).toBe(0)
    expect(existsSync(folder)).toBe(false)
    await expect(fetch(`http://127.0.0.1:${6472 + slot.offset}/health`)).rejects.toThrow()
  },
)
