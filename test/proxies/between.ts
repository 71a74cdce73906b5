/** An API, a Keyward, and every shipped proxy between them. */
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { type ProxyName, startAll } from './all-shipped.ts'
import { patient } from './fronts/patient.ts'

export type Between = {
  readonly upstream: EchoUpstream
  readonly keyward: Standalone
  readonly proxies: ReadonlyMap<ProxyName, ShippedProxy>
  readonly stop: () => Promise<void>
}

export async function startBetween(
  manifests: Parameters<typeof startStandalone>[0]['manifests'],
  api?: Parameters<typeof startEcho>[0],
): Promise<Between> {
  const upstream = await startEcho(api)
  const keyward = await startStandalone({ ...(manifests !== undefined && { manifests }), upstream: upstream.url.href })
  const checkPort = Number(new URL(keyward.checkUrl).port)
  const proxies = await startAll({ checkPort, grpcPort: checkPort + 1, upstreamPort: upstream.port, edit: patient })
  const stop = async (): Promise<void> => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.stop()))
    await keyward.stop()
    await upstream.stop()
  }
  return { upstream, keyward, proxies, stop }
}
