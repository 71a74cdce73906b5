/** Other programs in processes of their own, and their files: nothing of them outlives the test file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { until } from './until.ts'

export { freePort } from './free-port.ts'

export type Running = {
  readonly pid: number
  /** What it wrote to stdout and stderr so far. */
  readonly output: () => string
  /** Its exit code; null where a signal ended it. */
  readonly exited: Promise<number | null>
  readonly signal: (signal: NodeJS.Signals) => void
  /** SIGTERM, and SIGKILL where it is not gone within 10 s. Also where it is gone or stopped by SIGSTOP. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL, for its children too. */
  readonly kill: () => Promise<void>
}

export type ProcessOptions = {
  readonly cwd?: string
  /** On top of this process's own. */
  readonly env?: Readonly<Record<string, string>>
}

const STOP_WITHIN_MS = 10_000
/** How long the pipe of a process that has ended is read, in turns: one timer could be over before anything was read. */
const LAST_WORDS_MS = 20
const LAST_WORDS_TURNS = 10
/** Ends the process with ours, even where ours is killed and can't see to it. Part of every Debian (util-linux). */
const WITH_US = ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] as const

const running = new Map<ChildProcess, Promise<unknown>>()
const folders = new Set<string>()
const killAll = () => {
  for (const child of running.keys()) killTree(child)
}
const removeFolders = () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  folders.clear()
}
afterAll(async () => {
  killAll()
  await Promise.all(running.values())
  removeFolders()
})
process.once('exit', () => {
  killAll()
  removeFolders()
})

/** Killed at the end of the test file. Throws where the command can't be started at all. */
export function startProcess(command: string, args: readonly string[], options: ProcessOptions = {}): Running {
  if (command.startsWith('/') && !existsSync(command)) throw new Error(`${command} can't be started: it is not there`)
  const [program = command, ...all] = existsSync(WITH_US[0]) ? [...WITH_US, command, ...args] : [command, ...args]
  const child = spawn(program, all, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const written: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => written.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => written.push(chunk))
  child.on('error', () => {})
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} can't be started: is the folder there, and the command in PATH?`)
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      running.delete(child)
      // its last words may still be in the pipe, which its children may hold open for long
      let turns = 0
      const timer = setInterval(() => {
        if (++turns < LAST_WORDS_TURNS) return
        clearInterval(timer)
        resolve(code)
      }, LAST_WORDS_MS)
      child.once('close', () => {
        clearInterval(timer)
        resolve(code)
      })
    })
  })
  running.set(child, exited)

  const stop = async () => {
    child.kill('SIGTERM')
    // a stopped process gets no other signal before it goes on
    child.kill('SIGCONT')
    const timer = setTimeout(() => killTree(child), STOP_WITHIN_MS)
    const code = await exited
    clearTimeout(timer)
    return code
  }
  return {
    pid,
    output: () => Buffer.concat(written).toString('utf8'),
    exited,
    signal: (signal) => void child.kill(signal),
    stop,
    kill: async () => {
      killTree(child)
      await exited
    },
  }
}

/** Waits until `ready`; where the process ends before, or it takes too long, the error holds what it wrote. */
export async function untilReady(
  what: string,
  { process: started, ready, withinMs = 60_000 }: ReadyOptions,
): Promise<void> {
  let gone = false
  void started.exited.then(() => {
    gone = true
  })
  try {
    await until(
      what,
      async () => {
        if (gone) throw new Error(`it ended before this was so: ${what}`)
        return ready()
      },
      withinMs,
    )
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`${message}; it wrote:\n${started.output()}`)
  }
}
export type ReadyOptions = {
  readonly process: Running
  readonly ready: () => boolean | Promise<boolean>
  readonly withinMs?: number
}

/** An empty folder, removed at the end of the test file, after every process is gone. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-test-'))
  folders.add(folder)
  return folder
}

/** A server that forks workers (nginx) leaves them behind where it alone is killed. */
function killTree(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  for (const descendant of descendantsOf(pid)) {
    try {
      process.kill(descendant, 'SIGKILL')
    } catch {
      // gone meanwhile
    }
  }
  child.kill('SIGKILL')
}

function descendantsOf(pid: number): readonly number[] {
  const children = childrenOf(pid)
  return [...children, ...children.flatMap(descendantsOf)]
}

function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
