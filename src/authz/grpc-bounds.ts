/** What a peer of the gRPC listener may take of us, and for how long. Whoever wants more is a defect or means harm. */

export const MAX_CONNECTIONS = 2048
const MAX_STREAMS = 1000
export const MAX_WATCHES = 16
/** Of messages that have not come to their end, over all calls of a connection. */
export const MAX_HELD_BYTES = 4 * 1024 * 1024
/** PING and SETTINGS frames of a connection without a call between them; Go's clients send a PING for many an answer. */
export const MAX_NOISE = 1000
/** What hangs is looked for this often. */
export const LOOK_EVERY_MS = 2000
/**
 * A call that is still there after so many looks is broken off, and its connection if even that does not help. A PING goes
 * out at every so many, and who has not answered it by the next is gone.
 */
export const LOOKS = { greeting: 2, call: 3, connection: 5, ping: 3 } as const
export const WATCH_EVERY_MS = 200
export const HANDSHAKE_MS = 10_000
/**
 * Between telling health checks that it ends and GOAWAY: what is on its way still arrives. After a GOAWAY nghttp2 takes
 * nothing more, and node has no way to announce one (RFC 9113 §6.8, the last stream identifier 2^31-1).
 */
export const LINGER_MS = 500

/** Of node's HTTP/2 server. */
export const OPTIONS = {
  settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 16 * 1024, enablePush: false },
  maxSettings: 16,
  maxHeaderListPairs: 100,
  maxSessionMemory: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  // a proxy resets the checks of every caller that hangs up
  streamResetBurst: 2000,
  streamResetRate: 500,
  unknownProtocolTimeout: HANDSHAKE_MS,
}
