/** A front that is a proxy on a port: exact bytes go in on a connection of their own. */
import { sendRaw } from '../../support/raw-client.ts'
import { type Behind, bytesOf, type Front, type FrontName } from './front.ts'

export type Listening = {
  readonly name: FrontName
  readonly port: number
  readonly stop: () => Promise<unknown>
}

export const overTcp = ({ name, port, stop }: Listening, { upstream }: Behind): Front => ({
  name,
  send: async (request) => {
    const before = upstream.log.length
    const response = await sendRaw(port, bytesOf(request), { toHead: request.method === 'HEAD' })
    return {
      status: response?.status ?? 0,
      headers: response?.headers ?? [],
      body: response?.text ?? '',
      seen: upstream.log.slice(before),
    }
  },
  stop: async () => void (await stop()),
})

/** Keyward's own reverse proxy: the standalone that is asked is the proxy as well. */
export const keyward = (behind: Behind): Front =>
  overTcp({ name: 'keyward', port: behind.proxyPort, stop: async () => undefined }, behind)
