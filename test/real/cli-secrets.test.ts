/** While `keyward create` has a secret in its hands: what others see of the process, what files it has open, and what it leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseCredential } from '../../src/core/credential.ts'
import { leaksOf } from '../support/leaks.ts'
import { temporaryFolder } from '../support/process.ts'
import { apiUrlOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS } from '../support/things.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

let standalone: Standalone
beforeAll(async () => {
  standalone = await startStandalone({ manifests: { 'a.yaml': THINGS }, newKeys: false })
})
afterAll(() => standalone.stop())

/** The API of the standalone, where each question waits until it was looked at who asks. */
async function startGate(look: (question: string) => void): Promise<{ readonly url: string; readonly server: Server }> {
  const api = new URL(apiUrlOf(standalone))
  const server = createServer((asked, answered) => {
    look(`${asked.method} ${asked.url?.split(/[/?]/)[6]}`)
    const { method, url: path, headers } = asked
    const passed = request({
      host: api.hostname,
      port: api.port,
      method,
      path,
      headers: { ...headers, host: api.host },
    })
    passed.once('response', (response) => {
      answered.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(answered)
    })
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** Paths of files, below a folder. */
const filesIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(dir, path)).isFile())

const WRITES = 0o3

/** Files that a process can write to, deleted ones too; neither pipes nor devices. */
function writableFilesOf(pid: number): readonly string[] {
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? ''
    return { flags: Number.parseInt(flags, 8), path: readlinkSync(`/proc/${pid}/fd/${fd}`) }
  })
  return open.flatMap(({ flags, path }) =>
    (flags & WRITES) !== 0 && path.startsWith('/') && !path.startsWith('/dev/') ? [path] : [],
  )
}

type Look = {
  readonly question: string
  /** What everybody on the machine, and whoever is the same user, can read of a process. */
  readonly public: string
  readonly writable: readonly string[]
  readonly files: readonly string[]
}

test.runIf(existsSync('/proc/self/fdinfo')).each([
  ['into a file', true],
  ['on its output', false],
])(
  'a secret that is handed over %s is in no argument, no environment, no log and no other file',
  async (_what, intoFile) => {
    const dir = temporaryFolder()
    const [home, tmp, work] = ['home', 'tmp', 'work'].map((name) => join(dir, name)) as [string, string, string]
    for (const folder of [home, tmp, work]) mkdirSync(folder)
    const looks: Look[] = []
    let child: ChildProcess | undefined
    const gate = await startGate((question) => {
      const pid = child?.pid ?? 0
      const [args, environment] = ['cmdline', 'environ'].map((of) => readFileSync(`/proc/${pid}/${of}`, 'utf8'))
      looks.push({ question, public: `${args}${environment}`, writable: writableFilesOf(pid), files: filesIn(dir) })
    })
    const name = intoFile ? 'to-file' : 'shown'
    const out = join(work, 'key.json')
    const words = [
      'create',
      name,
      '--access-namespace',
      'acme',
      '--environment',
      'production',
      '--permissions',
      'thing:read',
    ]
    const where = ['--server', gate.url, '--token-file', join(standalone.data, 'token'), '-n', 'team']
    const started = spawn(process.execPath, [MAIN, ...words, ...where, ...(intoFile ? ['--out', out] : [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: work,
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: tmp },
    })
    child = started
    const ended = new Promise<number | null>((resolve) => started.once('close', resolve))
    const [said, remarks, code] = await Promise.all([text(started.stdout), text(started.stderr), ended])
    gate.server.close()
    expect([code, remarks]).toEqual([0, expect.stringContaining('created; waiting for its credential')])

    // the last one acknowledges: by then the command has the secret, and has handed it out
    expect(looks.map(({ question }) => question).toSorted()).toContain('POST apikeys')
    expect(looks.at(-1)?.question).toBe('DELETE apikeyclaims')
    const written = intoFile ? readFileSync(out, 'utf8') : said
    const credential = parseCredential(/kw_prod_[0-9A-Za-z]{12}_[0-9A-Za-z]+/.exec(written)?.[0] ?? '')
    if (!credential.ok) throw new Error(credential.problem)
    const leaksIn = (what: string | Buffer) => leaksOf(credential.value, Buffer.from(what))
    expect(leaksIn(written)).not.toEqual([])
    for (const { question, public: seen, writable } of looks) {
      expect([question, seen.includes(MAIN), leaksIn(seen)]).toEqual([question, true, []])
      expect([question, writable.filter((path) => path !== out)]).toEqual([question, []])
    }
    expect(looks.some(({ writable }) => writable.includes(out))).toBe(intoFile)
    // beside the code of ours that it compiled nothing is left, and nothing was there meanwhile
    const mine = (path: string) => !path.startsWith('home/.cache/keyward/compiled/')
    const expected = intoFile ? [relative(dir, out)] : []
    for (const { question, files } of looks) expect([question, files.filter(mine)]).toEqual([question, expected])
    expect(filesIn(dir).filter(mine)).toEqual(expected)
    for (const path of filesIn(dir).filter((one) => one !== expected[0]))
      expect([path, leaksIn(readFileSync(join(dir, path)))]).toEqual([path, []])
    expect(leaksIn((intoFile ? said : '') + remarks + standalone.output())).toEqual([])
  },
)
