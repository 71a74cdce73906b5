/** The ceiling of the gRPC check: a node:http2 server that answers every call with the same bytes and does nothing else. */
import { createServer } from 'node:http2'

const MESSAGE = Buffer.from([0, 0, 0, 0, 4, 0x0a, 0x02, 0x08, 0x00])
const HEADERS = { ':status': 200, 'content-type': 'application/grpc' }
const TRAILERS = { 'grpc-status': '0' }

createServer({ settings: { maxConcurrentStreams: 1000 } })
  .on('stream', (stream) => {
    stream.on('data', () => undefined)
    stream.on('end', () => {
      stream.respond(HEADERS, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers(TRAILERS))
      stream.end(MESSAGE)
    })
    stream.on('error', () => undefined)
  })
  .listen(Number(process.env.PORT), '127.0.0.1')
