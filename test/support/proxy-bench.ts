/** A proxy between an upstream of the test's making and raw connections; all of it is gone when the test is over. */
import type { Socket } from 'node:net'
import { type EchoParts, type EchoUpstream, startEcho } from './echo-upstream.ts'
import { type Proxied, type ProxiedOptions, startProxied } from './proxied.ts'
import { openRaw, type RawConnection } from './raw-client.ts'
import { type RawUpstream, startRawUpstream } from './raw-upstream.ts'

export type Bench = {
  /** In front of an upstream that answers each request head with bytes. */
  readonly answering: (
    onHead: (socket: Socket, head: string, nth: number) => void,
    options?: ProxiedOptions,
  ) => Promise<{ readonly upstream: RawUpstream; readonly proxied: Proxied }>
  readonly echoing: (
    parts?: EchoParts,
    options?: ProxiedOptions,
  ) => Promise<{ readonly upstream: EchoUpstream; readonly proxied: Proxied }>
  readonly connected: (proxied: Proxied) => Promise<RawConnection>
  /** Ends everything that was started. */
  readonly clear: () => Promise<void>
}

export function proxyBench(): Bench {
  const cleanups: (() => Promise<unknown> | undefined)[] = []
  const behind = async <Upstream extends RawUpstream | EchoUpstream>(upstream: Upstream, options: ProxiedOptions) => {
    const proxied = await startProxied(upstream.url, options)
    cleanups.push(upstream.stop, () => proxied.proxy.stop(0))
    return { upstream, proxied }
  }
  return {
    answering: async (onHead, options = {}) => behind(await startRawUpstream(onHead), options),
    echoing: async (parts = {}, options = {}) => behind(await startEcho(parts), options),
    connected: async (proxied) => {
      const connection = await openRaw(proxied.port)
      cleanups.push(() => {
        connection.destroy()
        return undefined
      })
      return connection
    },
    clear: async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    },
  }
}

/** Answers a request head with these lines and this body, latin-1. */
export const respond =
  (lines: readonly string[], body = '') =>
  (socket: Socket): void => {
    socket.write(Buffer.from([...lines, '', body].join('\r\n'), 'latin1'))
  }
