/** A candidate in a process of its own: says each 10 ms on stdout that it leads, with the machine's steady clock. */
import { writeSync } from 'node:fs'
import { makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { campaign } from '../../src/kube/leader.ts'
import { jitter, nowMs, steadyMs } from '../../src/runtime/system.ts'

const [folder = '', port = '', identity = '', durationMs = '', aheadMs = '0'] = process.argv.slice(2)

const say = (what: string) => writeSync(1, `${what} ${process.hrtime.bigint()}\n`)

const access = inCluster({ folder, host: '127.0.0.1', port, steadyMs })
const { run, isLeading } = campaign({
  client: makeClient({ access, steadyMs, jitter }),
  ...{ namespace: 'default', name: 'elected', identity, durationMs: Number(durationMs), steadyMs, jitter },
  // a calendar clock that is wrong must not matter
  nowMs: () => nowMs() + Number(aheadMs),
  onTrouble: () => say('trouble'),
})
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const ticking = setInterval(() => {
  if (isLeading()) say('tick')
}, 10)
const lead = async (lost: AbortSignal): Promise<void> => {
  say('lead')
  if (!lost.aborted)
    await new Promise<void>((resolve) => lost.addEventListener('abort', () => resolve(), { once: true }))
  say('lost')
}
say('start')
await run(lead, stop.signal)
clearInterval(ticking)
process.exit(0)
