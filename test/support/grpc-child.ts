/** A gRPC listener over a small index in a process of its own, so that what it costs can be measured from outside. */
import { extAuthz } from '../../src/authz/ext-authz.ts'
import { serveGrpc } from '../../src/authz/grpc-serve.ts'
import { makeCheck } from '../../src/enforce/check.ts'
import { tinyIndex } from './tiny-index.ts'

const { index, put } = tinyIndex()
const check = makeCheck({
  index: () => index,
  limiter: { spend: () => ({ ok: true, left: [] }) },
  nowUs: () => Date.now() * 1000,
  note: () => undefined,
})
const { port, stop } = await serveGrpc(
  { check: extAuthz({ check, newRequestId: () => 'drawn-id' }), serving: () => true, tls: undefined },
  { host: '127.0.0.1', port: 0 },
)
process.once('SIGTERM', () => stop(5000).then(() => process.exit(0)))
process.stdout.write(`${JSON.stringify({ port, key: put('one') })}\n`)
