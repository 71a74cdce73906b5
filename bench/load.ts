/** Load by wrk on a core of its own, rotating over keys. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

export type Load = {
  readonly core: number
  readonly url: string
  readonly host: string
  /** A file with one credential a line. */
  readonly keys: string
  readonly seconds: number
  readonly connections: number
  readonly scratch: string
}

export type Measured = {
  readonly requests: number
  readonly perSecond: number
  readonly p99Us: number
  /** Answers other than 2xx and 3xx, and socket errors: a figure with any is worth nothing. */
  readonly bad: number
}

const wrk = execFileSync('bash', ['hack/parts.sh', 'wrk'], { encoding: 'utf8' }).trim()

const script = ({ keys, host }: Load) => `
local keys = {}
for line in io.lines(${JSON.stringify(keys)}) do keys[#keys + 1] = line end
local at = 0
request = function()
  at = at % #keys + 1
  return wrk.format("GET", nil, { ["Host"] = ${JSON.stringify(host)}, ["Authorization"] = "Bearer " .. keys[at], ["Accept"] = "*/*", ["User-Agent"] = "wrk" })
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("result %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99), e.status + e.connect + e.read + e.write + e.timeout))
end
`

export async function load(asked: Load): Promise<Measured> {
  const lua = join(asked.scratch, 'rotate.lua')
  writeFileSync(lua, script(asked))
  const { core, connections, seconds, url } = asked
  const args = ['-c', String(core), wrk, '-t1', `-c${connections}`, `-d${seconds}s`, '-s', lua, url]
  const { stdout } = await promisify(execFile)('taskset', args)
  const result = /result (\d+) (\d+) (\d+) (\d+)/.exec(stdout)
  if (result === null) throw new Error(`wrk said nothing that can be read: ${stdout}`)
  const [requests = 0, durationUs = 1, p99Us = 0, bad = 0] = result.slice(1).map(Number)
  return { requests, perSecond: (requests / durationUs) * 1e6, p99Us, bad }
}
