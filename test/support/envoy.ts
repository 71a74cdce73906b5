/** Envoy on its shipped configurations. */
import { type ShippedOptions, type ShippedProxy, startShipped } from './shipped.ts'

/** Its own shared memory for restarts is left alone, since several run beside one another; one thread is plenty here. */
const startEnvoy = (file: string, options: ShippedOptions): Promise<ShippedProxy> =>
  startShipped(
    {
      part: 'envoy',
      folder: 'envoy',
      args: () => ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'],
    },
    options,
  )

export const startEnvoyGrpc = (options: ShippedOptions): Promise<ShippedProxy> => startEnvoy('envoy-grpc.yaml', options)

export const startEnvoyHttp = (options: ShippedOptions): Promise<ShippedProxy> => startEnvoy('envoy-http.yaml', options)
