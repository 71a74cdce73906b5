/** Real proxies, each on the configuration that is shipped for it. */
import { startCaddy } from '../../support/caddy.ts'
import { startEnvoyGrpc, startEnvoyHttp } from '../../support/envoy.ts'
import { startHaproxy } from '../../support/haproxy.ts'
import { startNginx } from '../../support/nginx.ts'
import type { ShippedOptions, ShippedProxy } from '../../support/shipped.ts'
import type { Behind, Front, FrontName } from './front.ts'
import { overTcp } from './over-tcp.ts'
import { patient } from './patient.ts'

const shipped =
  (name: FrontName, start: (options: ShippedOptions) => Promise<ShippedProxy>) =>
  async (behind: Behind): Promise<Front> => {
    const { checkPort, grpcPort, upstream } = behind
    return overTcp(
      { name, ...(await start({ checkPort, grpcPort, upstreamPort: upstream.port, edit: patient })) },
      behind,
    )
  }

export const envoyGrpc = shipped('envoy-grpc', startEnvoyGrpc)
export const envoyHttp = shipped('envoy-http', startEnvoyHttp)
export const nginx = shipped('nginx', startNginx)
export const caddy = shipped('caddy', startCaddy)
export const haproxy = shipped('haproxy', startHaproxy)
