/** A server under measurement: started on one core, its CPU time read from the kernel, stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Running = {
  /** Milliseconds of CPU of the process and its children so far. */
  readonly cpuMs: () => number
  readonly rssMib: () => number
  readonly stop: () => Promise<void>
}

/** Kernel ticks are 10 ms on every Linux that Node runs on (USER_HZ). */
const TICK_MS = 10

const started = new Set<ChildProcess>()
// a measurement that fails leaves nothing behind that the next one would measure instead
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export type Start = {
  readonly core: number
  readonly command: readonly string[]
  /** Ready as soon as this port accepts. */
  readonly port: number
  readonly env?: Readonly<Record<string, string>>
}

export async function start({ core, command, port, env }: Start): Promise<Running> {
  if (await accepts(port)) throw new Error(`port ${port} is taken: another server would be measured`)
  const child = spawn('taskset', ['-c', String(core), ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
  started.add(child)
  child.once('exit', () => started.delete(child))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000)
  })
  const until = Date.now() + 60_000
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`${command.join(' ')} did not start: ${said}`)
    await sleep(20)
  }
  const pids = () => family(child.pid ?? 0)
  return {
    cpuMs: () => pids().reduce((sum, pid) => sum + ticks(pid) * TICK_MS, 0),
    rssMib: () => pids().reduce((sum, pid) => sum + rss(pid), 0),
    stop: () => stop(child),
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 3000)
  await ended
  clearTimeout(late)
}

function family(root: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = statOf(Number(name))
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]))
  }
  const inside = (pid: number | undefined): boolean =>
    pid === root || (pid !== undefined && pid > 1 && inside(parents.get(pid)))
  return [...parents.keys()].filter(inside)
}

/** The fields of /proc/PID/stat behind the name: state, parent, … (proc(5)); utime and stime are the 12th and 13th. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

const ticks = (pid: number): number => {
  const fields = statOf(pid)
  return Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)
}

function rss(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
