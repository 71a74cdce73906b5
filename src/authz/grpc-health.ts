/** grpc.health.v1.Health: whether checks are answered, as gRPC clients and orchestrators ask for it. */
import { BYTES, tagOf, VARINT, WireReader } from './protobuf-wire.ts'

export type HealthStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

export const AUTHORIZATION = 'envoy.service.auth.v3.Authorization'

const NUMBERS = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const satisfies Record<HealthStatus, number>
const SERVICE = tagOf(1, BYTES)

/** The service that a HealthCheckRequest names; empty: the whole server. Throws Malformed. */
export function serviceAsked(message: Uint8Array): string {
  const reader = new WireReader(message)
  let service = ''
  while (reader.at < reader.end) {
    const tag = reader.tag(reader.end)
    if (tag === SERVICE) service = reader.latin1(reader.lengthDelimited(reader.end))
    else reader.skip(tag, reader.end)
  }
  return service
}

export function healthOf(service: string, serving: boolean): HealthStatus {
  if (service !== '' && service !== AUTHORIZATION) return 'SERVICE_UNKNOWN'
  return serving ? 'SERVING' : 'NOT_SERVING'
}

export const healthResponse = (status: HealthStatus): Uint8Array => Uint8Array.of(tagOf(1, VARINT), NUMBERS[status])
