/** A CheckRequest as Envoy 1.40 sends it for an ordinary request, framed as one gRPC message. */
import protobuf from 'protobufjs'

const HEADERS = {
  ':authority': 'api.example.com',
  ':method': 'GET',
  ':path': '/v1/licenses/42',
  ':scheme': 'http',
  accept: '*/*',
  'user-agent': 'wrk',
  'x-envoy-internal': 'true',
  'x-forwarded-for': '10.0.0.7',
  'x-forwarded-proto': 'http',
  'x-request-id': '0b6c4d2e-7f31-4a6b-9d8e-5c1f2a3b4c5d',
}

export async function checkRequest(key: string): Promise<Buffer> {
  const root = await protobuf.load('test/proto/ext_authz.proto')
  const type = root.lookupType('envoy.service.auth.v3.CheckRequest')
  const peer = (address: string, portValue: number) => ({ address: { socketAddress: { address, portValue } } })
  const request = {
    attributes: {
      source: peer('10.0.0.7', 40_000),
      destination: peer('127.0.0.1', 10_000),
      request: {
        time: { seconds: 1_795_000_000, nanos: 1000 },
        http: {
          id: '6424021450143521234',
          method: 'GET',
          headers: { ...HEADERS, authorization: `Bearer ${key}` },
          path: '/v1/licenses/42',
          host: 'api.example.com',
          scheme: 'http',
          protocol: 'HTTP/1.1',
        },
      },
      metadataContext: {},
      routeMetadataContext: {},
    },
  }
  const message = type.encode(type.fromObject(request)).finish()
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}
