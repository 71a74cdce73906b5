/** Calls that are wrong in one way: what is sent behind the greeting, and how they may end. Each carries a check that deserves a yes. */
import {
  block,
  data,
  ERRORS,
  type Field,
  FLAG,
  frame,
  framed,
  headers,
  indexed,
  integer,
  literal,
  settings,
  TYPE,
  uint32,
} from './h2-frames.ts'
import { CHECK, called, GOOD, goodBut, goodWith, goodWithout, PSEUDO, REGULAR } from './h2-outcome.ts'

export type Malformed = {
  readonly sent: (message: Uint8Array) => readonly Uint8Array[]
  readonly ends: readonly string[]
}

/** Ended by itself, or with everything else on its connection (RFC 9113 §5.4): both are an error of the protocol. */
const PROTOCOL = [`reset ${ERRORS.protocol}`, `goaway ${ERRORS.protocol}`, 'http 400']

/**
 * RFC 9113 §8.2.1 wants the call refused. What carries our calls drops such a field instead and says nothing of it, so that
 * nobody behind can refuse; nor can anybody take it for a field, and no decision looks at the metadata of a call.
 */
const REFUSED_OR_DROPPED = [...PROTOCOL, 'allowed']

/** A connection that is broken off because of it, whatever is said for a reason. */
const BROKEN_OFF = [...PROTOCOL, 'goaway 2']

const fields = (given: readonly Field[], ends: readonly string[] = PROTOCOL): Malformed => ({
  sent: (message) => called(given, message),
  ends,
})

const frames = (...given: readonly Uint8Array[]) => [...given]

/** A request for the upstream's path, as the corpus writes it: nothing is served there. */
const asked = (...given: readonly Field[]): readonly Field[] => [
  ...given,
  [':scheme', 'https'],
  [':authority', 'api.test'],
  ...REGULAR,
]

export const CORPUS_CALLS: Readonly<Record<string, readonly Malformed[]>> = {
  'H2-path-dup': [
    fields(asked([':method', 'GET'], [':path', '/api/x'], [':path', '/admin/users'])),
    fields([...PSEUDO, [':path', '/grpc.health.v1.Health/Check'], ...REGULAR]),
    fields([[':path', '/grpc.health.v1.Health/Check'], ...GOOD]),
  ],
  'H2-path-empty': [fields(asked([':method', 'GET'], [':path', ''])), fields(goodBut({ ':path': '' }))],
  'H2-path-missing': [fields(asked([':method', 'GET'])), fields(goodWithout(':path'))],
  'H2-path-noslash': [fields(goodBut({ ':path': CHECK.slice(1) }), ['grpc 12', ...PROTOCOL])],
  'H2-path-crlf': [
    fields(asked([':method', 'GET'], [':path', '/api/x\r\nX-Keyward-Key-Id: admin'])),
    fields(goodBut({ ':path': `${CHECK}\r\nX-Keyward-Key-Id: admin` })),
    fields(goodBut({ ':path': `${CHECK}\n` })),
  ],
  'H2-hdr-crlf': [
    fields(goodWith(['x-a', 'b\r\nhost: evil']), REFUSED_OR_DROPPED),
    fields(goodWith(['x-a', 'b\nc']), REFUSED_OR_DROPPED),
    fields(goodWith(['x-a', 'b\0c']), REFUSED_OR_DROPPED),
  ],
  'H2-pseudo-after': [
    fields([...goodWithout(':path'), [':path', CHECK]]),
    fields([['x-a', 'b'], ...GOOD]),
    fields([...GOOD, [':authority', 'api.test']]),
  ],
  'H2-cl-mismatch': [
    {
      sent: () => [headers(1, goodWith(['content-length', '5'])), data(1, Buffer.alloc(10), { end: true })],
      ends: BROKEN_OFF,
    },
    fields(goodWith(['content-length', '5']), BROKEN_OFF),
    fields(goodWith(['content-length', '500000']), BROKEN_OFF),
  ],
  'H2-ext-connect': [
    // unless it is offered in SETTINGS, :protocol is no pseudo header (RFC 8441 §3)
    fields([[':method', 'CONNECT'], [':protocol', 'websocket'], ...asked([':path', '/admin/ws'])]),
    fields([[':method', 'CONNECT'], [':protocol', 'websocket'], ...goodWithout(':method')]),
    fields([[':method', 'CONNECT'], [':authority', 'internal:443'], ...REGULAR], ['http 405', ...PROTOCOL]),
  ],
}

const NOT_A_CALL = ['http 405', 'http 415', 'grpc 12']

/** The same over again in ways that the corpus does not name. */
export const MORE_CALLS: Readonly<Record<string, Malformed>> = {
  'a name in upper case': fields(goodWith(['X-A', 'b'])),
  'an empty name': fields(goodWith(['', 'b']), REFUSED_OR_DROPPED),
  'a name with a colon in it': fields(goodWith(['x:a', 'b']), REFUSED_OR_DROPPED),
  'a name with a space behind it': fields(goodWith(['x-a ', 'b']), REFUSED_OR_DROPPED),
  'two methods': fields([[':method', 'GET'], ...GOOD]),
  'no method': fields(goodWithout(':method')),
  'no scheme': fields(goodWithout(':scheme')),
  'a pseudo header of answers': fields([[':status', '200'], ...GOOD]),
  'a pseudo header that there is not': fields([[':keyward', '1'], ...GOOD]),
  Connection: fields(goodWith(['connection', 'close'])),
  'Transfer-Encoding': fields(goodWith(['transfer-encoding', 'chunked'])),
  'TE that asks for more than trailers': fields(goodWith(['te', 'gzip'])),
  'two lengths': fields(goodWith(['content-length', '5'], ['content-length', '6'])),
  'a length below nothing': fields(goodWith(['content-length', '-1'])),
  GET: fields(goodBut({ ':method': 'GET' }), NOT_A_CALL),
  'a method in lower case': fields(goodBut({ ':method': 'post' }), NOT_A_CALL),
  'no content type': fields(goodWithout('content-type'), NOT_A_CALL),
  JSON: fields(goodBut({ 'content-type': 'application/json' }), NOT_A_CALL),
  'gRPC-Web': fields(goodBut({ 'content-type': 'application/grpc-web' }), NOT_A_CALL),
  'a query behind the path': fields(goodBut({ ':path': `${CHECK}?a=b` }), ['grpc 12']),
  'a slash behind the path': fields(goodBut({ ':path': `${CHECK}/` }), ['grpc 12']),
  'two slashes before the path': fields(goodBut({ ':path': `/${CHECK}` }), ['grpc 12']),
  'an encoded path': fields(goodBut({ ':path': CHECK.replace('Check', '%43heck') }), ['grpc 12']),
  'a path in lower case': fields(goodBut({ ':path': CHECK.toLowerCase() }), ['grpc 12']),
  'a path in absolute form': fields(goodBut({ ':path': `http://keyward${CHECK}` }), ['grpc 12', ...PROTOCOL]),
  'a path that leads there': fields(goodBut({ ':path': `/x/..${CHECK}` }), ['grpc 12']),
  'the service as a prototype': fields(goodBut({ ':path': '/__proto__/constructor' }), ['grpc 12']),
  'another version of the service': fields(goodBut({ ':path': CHECK.replace('v3', 'v2') }), ['grpc 12']),
  'an asterisk': fields(goodBut({ ':path': '*' }), ['grpc 12', ...PROTOCOL]),
  'no message': { sent: () => [headers(1, GOOD, { end: true })], ends: ['grpc 12'] },
  'half of a message': {
    sent: (message) => [headers(1, GOOD), data(1, framed(message).subarray(0, 20), { end: true })],
    ends: ['grpc 12'],
  },
  'two messages': {
    sent: (message) => [headers(1, GOOD), data(1, Buffer.concat([framed(message), framed(message)]), { end: true })],
    ends: ['grpc 12'],
  },
  'a message that is said to be compressed': {
    sent: (message) => [headers(1, goodWith(['grpc-encoding', 'gzip'])), data(1, framed(message, 1), { end: true })],
    ends: ['grpc 12'],
  },
  'an unknown flag on the message': {
    sent: (message) => [headers(1, GOOD), data(1, framed(message, 2), { end: true })],
    ends: ['grpc 12'],
  },
  'headers on stream 0': { sent: () => [headers(0, GOOD)], ends: PROTOCOL },
  'a stream of the server': { sent: (message) => called(GOOD, message, 2), ends: ['goaway 1'] },
  'DATA on a stream that is not there': {
    sent: (message) => [data(1, framed(message), { end: true })],
    ends: ['goaway 1', 'goaway 5', 'reset 5'],
  },
  'a push': { sent: () => [frame(TYPE.push, uint32(2), { stream: 1, flags: FLAG.endHeaders })], ends: ['goaway 1'] },
  'CONTINUATION of nothing': {
    sent: () => [frame(TYPE.continuation, block(GOOD), { stream: 1, flags: FLAG.endHeaders })],
    ends: ['goaway 1'],
  },
  'another frame between HEADERS and CONTINUATION': {
    sent: (message) =>
      frames(
        frame(TYPE.headers, block(PSEUDO), { stream: 1 }),
        frame(TYPE.ping, Buffer.alloc(8)),
        frame(TYPE.continuation, block(REGULAR), { stream: 1, flags: FLAG.endHeaders }),
        data(1, framed(message), { end: true }),
      ),
    ends: ['goaway 1'],
  },
  'CONTINUATION of another stream': {
    sent: (message) =>
      frames(
        frame(TYPE.headers, block(PSEUDO), { stream: 1 }),
        frame(TYPE.continuation, block(REGULAR), { stream: 3, flags: FLAG.endHeaders }),
        data(1, framed(message), { end: true }),
      ),
    ends: ['goaway 1'],
  },
  'more padding than frame': {
    sent: () => [frame(TYPE.headers, Buffer.of(255, 0), { stream: 1, flags: FLAG.endHeaders | FLAG.padded })],
    ends: ['goaway 1'],
  },
  'a frame above the size that is taken': {
    sent: () => [headers(1, GOOD), data(1, Buffer.alloc(16_385))],
    ends: ['goaway 6', 'reset 6'],
  },
  'SETTINGS of 5 bytes': { sent: () => [frame(TYPE.settings, Buffer.alloc(5))], ends: ['goaway 6'] },
  'SETTINGS of a window beyond all': { sent: () => [settings([4, 2 ** 31])], ends: ['goaway 3'] },
  'an acknowledgement that says something': {
    sent: () => [frame(TYPE.settings, Buffer.alloc(6), { flags: FLAG.ack })],
    ends: ['goaway 6'],
  },
  'PING of 7 bytes': { sent: () => [frame(TYPE.ping, Buffer.alloc(7))], ends: ['goaway 6'] },
  'a window that grows by nothing': { sent: () => [frame(TYPE.window, uint32(0))], ends: ['goaway 1'] },
  'a window that grows beyond all': {
    sent: () => [frame(TYPE.window, uint32(2 ** 31 - 1)), frame(TYPE.window, uint32(2 ** 31 - 1))],
    ends: ['goaway 3'],
  },
  'field 0 of the table': {
    sent: () => [frame(TYPE.headers, indexed(0), { stream: 1, flags: FLAG.endHeaders })],
    ends: ['goaway 9'],
  },
  'a field that the table does not hold': {
    sent: () => [frame(TYPE.headers, indexed(5000), { stream: 1, flags: FLAG.endHeaders })],
    ends: ['goaway 9'],
  },
  'a table larger than the one that is offered': {
    sent: () => [
      frame(TYPE.headers, Buffer.concat([integer(0x20, 5, 2 ** 30), block(GOOD)]), {
        stream: 1,
        flags: FLAG.endHeaders,
      }),
    ],
    ends: ['goaway 9'],
  },
  'a number without an end': {
    sent: () => [
      frame(TYPE.headers, Buffer.alloc(64, 0xff), {
        stream: 1,
        flags: FLAG.endHeaders,
      }),
    ],
    ends: ['goaway 9'],
  },
  'a text longer than its block': {
    sent: () => [
      frame(TYPE.headers, Buffer.concat([literal(['x-a', 'b']), Buffer.of(0), integer(0, 7, 100_000)]), {
        stream: 1,
        flags: FLAG.endHeaders,
      }),
    ],
    ends: ['goaway 9'],
  },
  'a hundred headers too many': {
    sent: (message) => called(goodWith(...Array.from({ length: 200 }, (_none, i): Field => [`x-${i}`, 'a'])), message),
    ends: ['reset 11', 'goaway 11', 'http 431'],
  },
  'a pseudo header in trailers': {
    sent: (message) => [
      headers(1, GOOD),
      data(1, framed(message)),
      headers(1, [[':path', '/grpc.health.v1.Health/Check']], { end: true }),
    ],
    ends: PROTOCOL,
  },
  'trailers that are not the end': {
    sent: (message) => [headers(1, GOOD), data(1, framed(message)), headers(1, [['x-a', 'b']])],
    ends: PROTOCOL,
  },
  'headers of 20 KiB': fields(goodWith(['x-a', 'a'.repeat(10_000)], ['x-b', 'b'.repeat(10_000)]), [
    'reset 11',
    'goaway 11',
    'http 431',
    'goaway 6',
    'goaway 9',
  ]),
}

/** Calls that look odd and are as they should be: they are answered. */
export const ODD_CALLS: Readonly<Record<string, Malformed['sent']>> = {
  'a call as others make it': (message) => called(GOOD, message),
  'the message in pieces of one byte': (message) => [
    headers(1, GOOD),
    ...[...framed(message)].map((byte) => data(1, Buffer.of(byte))),
    data(1, Buffer.alloc(0), { end: true }),
  ],
  'the headers in pieces of one byte': (message) => {
    const bytes = [...block(GOOD)].map((byte) => Buffer.of(byte))
    return [
      frame(TYPE.headers, Buffer.alloc(0), { stream: 1 }),
      ...bytes.map((byte) => frame(TYPE.continuation, byte, { stream: 1 })).slice(0, 4),
      frame(TYPE.continuation, block(GOOD).subarray(4), { stream: 1, flags: FLAG.endHeaders }),
      data(1, framed(message), { end: true }),
    ]
  },
  'a frame of an unknown type': (message) => [frame(0xbe, Buffer.from('?')), ...called(GOOD, message)],
  'an unknown setting': (message) => [settings([0xbeef, 1]), ...called(GOOD, message)],
  'metadata that names other things': (message) =>
    called(goodWith(['x-keyward-key-id', 'admin'], ['authorization', 'Bearer x'], ['host', 'api.test']), message),
  'a content type with parameters': (message) => called(goodBut({ 'content-type': 'application/grpc+proto' }), message),
}

/** Trailers of a request are nobody's: the answer is what it would be without them. */
export const CORPUS_DROPPED: Readonly<Record<string, readonly Malformed['sent'][]>> = {
  'H2-trailers-alias': [
    ['x_keyward_key_id', 'admin'] as const,
    ['x-keyward-key-id', 'admin'] as const,
    ['x-api-key', 'admin'] as const,
    ['grpc-status', '0'] as const,
    ['content-type', 'text/plain'] as const,
  ].map((trailer) => (message) => [headers(1, GOOD), data(1, framed(message)), headers(1, [trailer], { end: true })]),
}
