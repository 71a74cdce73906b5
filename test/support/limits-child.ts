/** A replica with the limiter alone, in a process of its own: asks at a steady pace and says how many passed. */
import { Redis } from 'ioredis'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { redisLimits } from '../../src/redis/redis-limiter.ts'
import type { PacedResult, PacedRun } from './limits-fan-out.ts'

const TICK_MS = 4

const [url = '', goKey = '', runs = '[]'] = process.argv.slice(2)
const address = parseRedisUrl(url)
if (!address.ok) throw new Error(address.problem)
const nothing = { username: undefined, password: undefined, sentinelPassword: undefined, tls: undefined }
const client = connectRedis({ ...nothing, at: address.value.at, prefix: 'keyward:' })
const counted = redisLimits({
  client,
  prefix: 'keyward:',
  onGarbage: () => {},
  nowUs: () => performance.now() * 1000,
  replicas: () => undefined,
})

const plain = new Redis(url)
while (
  !(await counted.ping().then(
    () => true,
    () => false,
  ))
)
  await new Promise((resolve) => setTimeout(resolve, 10))
await plain.incr(`${goKey}:ready`)
let startMs: number | undefined
while (startMs === undefined) {
  await new Promise((resolve) => setTimeout(resolve, 5))
  const said = await plain.get(goKey)
  if (said !== null) startMs = Number(said)
}
plain.disconnect()

async function run({ bucket, limits, requests, overMs }: PacedRun, from: number): Promise<PacedResult> {
  let [sent, accepted, failed, atOnce] = [0, 0, 0, 0]
  const open: Promise<void>[] = []
  let [firstMs, lastMs] = [0, 0]
  const ask = async () => {
    const answer = counted.spend(bucket, limits)
    if (!(answer instanceof Promise)) atOnce++
    const spent = await answer
    lastMs = Date.now()
    if (spent.ok) accepted++
  }
  while (sent < requests) {
    const now = Date.now()
    if (now >= from && firstMs === 0) firstMs = now
    const due = Math.min(requests, Math.ceil(((now - from) / overMs) * requests))
    for (; sent < due; sent++) open.push(ask().catch(() => void failed++))
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  await Promise.all(open)
  return { accepted, failed, atOnce, firstMs, lastMs }
}

const begin = startMs
const results = await Promise.all((JSON.parse(runs) as readonly PacedRun[]).map((one) => run(one, begin)))
await counted.stop()
client.disconnect()
console.log(`RESULT ${JSON.stringify(results)}`)
