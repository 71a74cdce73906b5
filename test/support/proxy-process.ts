/** The proxy in a process of its own, for tests that measure one: `node proxy-process.ts <upstream>`, then IPC. */
import { startProxied } from './proxied.ts'

export type Started = { readonly port: number; readonly key: string }
export type Measured = { readonly peakKiB: number }

const proxied = await startProxied(new URL(process.argv[2] ?? ''))
process.send?.({ port: proxied.port, key: proxied.key } satisfies Started)
process.on('message', () => {
  process.send?.({ peakKiB: process.resourceUsage().maxRSS } satisfies Measured)
})
process.on('disconnect', () => process.exit(0))
