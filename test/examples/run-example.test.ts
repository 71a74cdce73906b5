/** `make run`, as far as it is not make: what it prints works when pasted, and it leaves nothing behind. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { type PortSlot, takeSlot } from '../support/port-slot.ts'
import { until } from '../support/until.ts'

const SCRIPT = join(import.meta.dirname, '../../hack/run-example.ts')

const slots: PortSlot[] = []
const children: ChildProcess[] = []
afterAll(async () => {
  // asked, not killed: what it started itself must end with it
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(slots.map(({ free }) => free()))
})

async function start(example: string) {
  const slot = await takeSlot()
  slots.push(slot)
  const child = spawn(process.execPath, [SCRIPT, example, '--port-offset', String(slot.offset)])
  children.push(child)
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, ended, offset: slot.offset, out: () => out, err: () => err }
}

/** The lines to paste, in their order. */
const linesOf = (text: string) => text.split('\n').filter((line) => /^ {2}(curl|for) /.test(line))

const pasted = async (line: string): Promise<string> => (await promisify(execFile)('bash', ['-c', line])).stdout

const statuses = (output: string) => [...output.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))

describe('make run', () => {
  test('prints each key once, and lines that are answered with 200, 401 and 429; Ctrl-C ends it cleanly', async () => {
    const run = await start('licensing')
    await until('it says how to stop', () => run.out().includes('Ctrl-C'), 60_000)

    expect(run.out().match(/^ {2}[a-z-]+ +kw_(prod|stag|dev)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/gm)).toHaveLength(8)
    const [allowed = '', unauthorized = '', limited = ''] = linesOf(run.out())
    expect(statuses(await pasted(allowed))).toEqual([200])
    expect(statuses(await pasted(unauthorized))).toEqual([401])
    expect(statuses(await pasted(limited))).toEqual([200, 200, 200, 429])

    const [, folder = ''] = /Edit a file in (\S+)\/manifests/.exec(run.out()) ?? []
    expect(existsSync(folder)).toBe(true)
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(0)
    expect(existsSync(folder)).toBe(false)
    await expect(fetch(`http://127.0.0.1:${9090 + run.offset}/livez`)).rejects.toThrow()
  })

  test('EXAMPLE=passport: the lines are answered with 200, 201, 200 and 403', async () => {
    const run = await start('passport')
    await until('it says how to stop', () => run.out().includes('Ctrl-C'), 60_000)

    const [own = '', create = '', list = '', refused = ''] = linesOf(run.out())
    expect(await pasted(own)).toContain('{"items":[{"id":"ws-1","name":"Shop Europe","app":"app-1"}]}')
    expect(statuses(await pasted(create))).toEqual([201])
    await until('the new workspace is listed', async () => (await pasted(list)).includes('Shop Asia'))
    expect(statuses(await pasted(refused))).toEqual([403])
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
  })
})

describe('where it can not start it says precisely why', () => {
  test.each([
    [8080, 'the protected API'],
    [8088, "the API of Keyward's objects"],
    [9001, 'the gRPC check'],
  ])('port %i is taken', async (port, what) => {
    const slot = await takeSlot()
    slots.push(slot)
    const other = createServer().listen(port + slot.offset, '127.0.0.1')
    const child = spawn(process.execPath, [SCRIPT, 'licensing', '--port-offset', String(slot.offset)])
    let err = ''
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    other.close()

    expect(code).toBe(1)
    expect(err).toBe(
      "Can't start:\n" +
        `  port ${port + slot.offset} of 127.0.0.1, for ${what}: another process listens on it\n` +
        `  end what listens there, or move all ports up: make run PORT_OFFSET=${slot.offset + 100}\n`,
    )
  })

  test.each([
    [['nothing'], "Can't start:\n  no example nothing; there are licensing and passport\n"],
    [
      ['licensing', '--port-offset', 'x'],
      "Can't start:\n  the port offset is x, and must be a whole number from 0 to 50000\n",
    ],
  ])('it is asked for %j', async (args, message) => {
    const failed = promisify(execFile)(process.execPath, [SCRIPT, ...args])
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: message })
  })
})
