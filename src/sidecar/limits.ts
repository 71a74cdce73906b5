/** Every bound of the reverse proxy in one table: what it waits for, and how much it holds. */

export type ProxyLimits = {
  /** A request's head: bytes, and lines. */
  readonly headBytes: number
  readonly headerLines: number
  /** From the first byte of a connection or of a request until its head is complete. */
  readonly headMs: number
  /** Without a byte from or to a caller while it is its turn: within a body, or between two requests. */
  readonly callerIdleMs: number
  /** Connections of callers; more are closed at once. */
  readonly connections: number
  /** Requests that may wait behind the one that is being answered on a connection. */
  readonly pipelined: number
  /** How much of a body that nobody wants is read, and for how long, so that its sender can read the answer. */
  readonly drainBytes: number
  readonly drainMs: number
  /** How long an answer of the check is waited for. */
  readonly checkMs: number
  readonly connectMs: number
  /** From the end of a request until the head of the upstream's response. */
  readonly firstByteMs: number
  /** Without a byte of the upstream's response, once it has begun. */
  readonly upstreamIdleMs: number
  readonly responseHeadBytes: number
  /** Without a byte in either direction of a tunnel. */
  readonly tunnelIdleMs: number
  /** How often it is asked again whether what is under way may go on. */
  readonly recheckMs: number
  /** The longest list that is filtered. */
  readonly filterBytes: number
  /** How much of bodies and tunnels passes between two collections of the buffers that it came in. */
  readonly collectBytes: number
  /** How long a connection may stay idle once the proxy stops. */
  readonly stopIdleMs: number
}

/** What a caller is told of how long its connection is kept: a second less, so that it does not send into its end. */
export const keepAliveOf = ({ callerIdleMs }: ProxyLimits): string =>
  `timeout=${Math.max(1, Math.floor(callerIdleMs / 1000) - 1)}`

const MIB = 1024 * 1024

/** Lists that are held back to be cut, all of a process together. */
export const HELD_BYTES = 64 * MIB

export const DEFAULT_LIMITS: ProxyLimits = Object.freeze({
  headBytes: 16 * 1024,
  headerLines: 100,
  headMs: 10_000,
  // longer than load balancers in front commonly keep theirs (60 s), so that they are the ones who close
  callerIdleMs: 75_000,
  connections: 10_000,
  pipelined: 32,
  drainBytes: 64 * 1024,
  drainMs: 1_000,
  checkMs: 2_000,
  connectMs: 2_000,
  firstByteMs: 60_000,
  upstreamIdleMs: 60_000,
  responseHeadBytes: 32 * 1024,
  tunnelIdleMs: 300_000,
  recheckMs: 5_000,
  // cutting is not interrupted: this much takes 2 to 40 ms, by what stands in it, in which nothing else is answered
  filterBytes: 512 * 1024,
  collectBytes: 24 * MIB,
  stopIdleMs: 500,
})
