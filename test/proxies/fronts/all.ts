/** Every front there is, by the name under which differences are stated. */
import { askedAsEnvoy, askedAsNginx, traefik } from './asked.ts'
import type { Behind, Front, FrontName } from './front.ts'
import { keyward } from './over-tcp.ts'
import { caddy, envoyGrpc, envoyHttp, haproxy, nginx } from './shipped.ts'

export const STARTERS: Readonly<Record<FrontName, (behind: Behind) => Front | Promise<Front>>> = {
  keyward,
  'asked-as-envoy': askedAsEnvoy,
  'asked-as-nginx': askedAsNginx,
  traefik,
  'envoy-grpc': envoyGrpc,
  'envoy-http': envoyHttp,
  nginx,
  caddy,
  haproxy,
}
