/** What can be called over gRPC, whatever carries the calls: Check, and the health of it. */
import { AUTHORIZATION, healthOf, healthResponse, serviceAsked } from './grpc-health.ts'
import { Malformed } from './protobuf-wire.ts'

export type GrpcParts = {
  /** Answers a message; undefined stands for one that is longer than is read. May throw Malformed. */
  readonly check: (message: Uint8Array | undefined) => Uint8Array | Promise<Uint8Array>
  /** What health checks are told. */
  readonly serving: () => boolean
}

/** The end of a call that has no answer: a gRPC status other than OK. */
export type Failure = { readonly status: number; readonly why: string }

export const STATUS = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const

/** One message in, one out. */
export type Unary = (message: Uint8Array | undefined) => Uint8Array | Failure | Promise<Uint8Array | Failure>

export type Method =
  | { readonly kind: 'unary'; readonly call: Unary }
  /** One message in, and one out now and whenever it has become another. */
  | { readonly kind: 'watch'; readonly watch: (message: Uint8Array | undefined) => (() => Uint8Array) | Failure }

export const isFailure = (answer: Uint8Array | Failure): answer is Failure => 'why' in answer

const TOO_LONG: Failure = { status: STATUS.resourceExhausted, why: 'a message of more than 64 KiB' }

/** By the path of the call. */
export function methodsOf({ check, serving }: GrpcParts): ReadonlyMap<string, Method> {
  return new Map<string, Method>([
    [`/${AUTHORIZATION}/Check`, { kind: 'unary', call: guarded(check) }],
    ['/grpc.health.v1.Health/Check', { kind: 'unary', call: guarded((message) => health(serving, message)) }],
    [
      '/grpc.health.v1.Health/Watch',
      {
        kind: 'watch',
        watch: (message) => {
          const service = asked(message)
          return typeof service === 'string' ? () => healthResponse(healthOf(service, serving())) : service
        },
      },
    ],
  ])
}

function health(serving: () => boolean, message: Uint8Array | undefined): Uint8Array | Failure {
  const service = asked(message)
  if (typeof service !== 'string') return service
  const status = healthOf(service, serving())
  return status === 'SERVICE_UNKNOWN' ? { status: STATUS.notFound, why: 'no such service' } : healthResponse(status)
}

function asked(message: Uint8Array | undefined): string | Failure {
  if (message === undefined) return TOO_LONG
  try {
    return serviceAsked(message)
  } catch (cause) {
    return failureOf(cause)
  }
}

const guarded =
  (call: Unary): Unary =>
  (message) => {
    try {
      const answer = call(message)
      return answer instanceof Promise ? answer.catch(failureOf) : answer
    } catch (cause) {
      return failureOf(cause)
    }
  }

/** What is thrown by bytes that are no message is the caller's fault; anything else is a defect of ours. */
const failureOf = (cause: unknown): Failure =>
  cause instanceof Malformed
    ? { status: STATUS.invalidArgument, why: `not a message: ${cause.message}` }
    : { status: STATUS.internal, why: 'the call failed' }
