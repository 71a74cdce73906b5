/** The real programs that tests run against: fetched once into the cache of this machine by hack/parts.sh. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export type Part =
  | 'envoy'
  | 'nginx'
  | 'caddy'
  | 'haproxy'
  | 'redis-server'
  | 'redis-cli'
  | 'h2load'
  | 'ghz'
  | 'zsh'
  | 'fish'

const SCRIPT = join(import.meta.dirname, '../../hack/parts.sh')

const found = new Map<Part, string>()

/** The path of an executable. Waits where it has to be fetched first, which hack/test.sh does before the tests. */
export function part(name: Part): string {
  const known = found.get(name)
  if (known !== undefined) return known
  const { status, stdout, stderr } = spawnSync('bash', [SCRIPT, name], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`there is no ${name}: ${stderr.trim()}`)
  const path = stdout.trim()
  found.set(name, path)
  return path
}
