/** The gRPC check of `keyward authz` over a population made in memory, so that a million keys need no folder. */
import { extAuthz } from '../src/authz/ext-authz.ts'
import { serveGrpc } from '../src/authz/grpc-serve.ts'
import { type Limiter, makeCheck } from '../src/enforce/check.ts'
import { nowUs, uuid } from '../src/runtime/system.ts'
import { populate } from './population.ts'

const count = Number(process.env.KEYS)
const { index } = populate(count)
const unlimited: Limiter = { spend: () => ({ ok: true, left: [] }) }

await serveGrpc(
  {
    check: extAuthz({
      check: makeCheck({ index: () => index, limiter: unlimited, nowUs, note: () => undefined }),
      newRequestId: uuid,
    }),
    serving: () => true,
    tls: undefined,
  },
  { host: '127.0.0.1', port: Number(process.env.PORT) },
)
