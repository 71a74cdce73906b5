/** More messages of the shape of the corpus: one thing is said twice, elsewhere, oddly or too often. */
import type { GrpcCase } from './grpc-cases.ts'

type Http = Readonly<Record<string, unknown>>
type Named = readonly [name: string, value: string]

const BEARER = { authorization: 'Bearer {{KEY_OK}}' }
const GOOD = { method: 'GET', path: '/api/x', host: 'api.test', headers: BEARER }

const http = (changed: Http, beside: Http = {}): object => ({
  attributes: { ...beside, request: { http: { ...GOOD, ...changed } } },
})
const listed = (...headers: readonly Named[]): Http => ({
  headers: {},
  headerMap: { headers: headers.map(([key, value]) => ({ key, value })) },
})
const withHeaders = (headers: Readonly<Record<string, string>>): Http => ({ headers: { ...BEARER, ...headers } })
const from = (address: object, key = 'KEY_NEAR'): object =>
  http({ headers: { authorization: `Bearer {{${key}}}` } }, { source: { address } })
const socket = (address: string): object => ({ socketAddress: { address, portValue: 4711 } })

const PATH = '400 ambiguous_path'
const REQUEST = '400 ambiguous_request'
const CREDENTIAL = '400 ambiguous_credential'
const KEY: Named = ['x-api-key', '{{KEY_OK}}']

const more: Readonly<Record<string, readonly [message: object, comes: string]>> = {
  // what is said twice
  'map-and-list-same-key': [
    http({ headerMap: { headers: [{ key: 'authorization', value: BEARER.authorization }] } }),
    CREDENTIAL,
  ],
  'map-and-list-two-keys': [
    http({ headerMap: { headers: [{ key: 'x-api-key', value: '{{KEY_ADMIN}}' }] } }),
    CREDENTIAL,
  ],
  'map-empty-and-list': [http(listed(KEY)), 'allow'],
  'list-twice-same': [http(listed(KEY, KEY)), CREDENTIAL],
  'list-twice-other-case': [http(listed(KEY, ['X-API-Key', '{{KEY_ADMIN}}'])), CREDENTIAL],
  'list-upper-case': [http(listed(['X-API-KEY', '{{KEY_OK}}'])), 'allow'],
  'map-upper-case': [http({ headers: { 'X-Api-Key': '{{KEY_OK}}' } }), 'allow'],
  'map-two-cases': [http({ headers: { 'x-api-key': '{{KEY_OK}}', 'X-API-Key': '{{KEY_OK}}' } }), CREDENTIAL],
  'bearer-and-apikey': [http(withHeaders({ 'x-api-key': '{{KEY_OK}}' })), CREDENTIAL],
  'apikey-empty-beside-bearer': [http(withHeaders({ 'x-api-key': '' })), CREDENTIAL],
  'apikey-empty': [http({ headers: { 'x-api-key': '' } }), '401 invalid_key'],
  'apikey-comma-behind': [http({ headers: { 'x-api-key': '{{KEY_OK}},' } }), CREDENTIAL],
  'basic-joined': [http({ headers: { authorization: 'Basic {{B64:KEY_OK:}},Basic {{B64:KEY_OK:}}' } }), CREDENTIAL],
  'bearer-space-behind': [http({ headers: { authorization: 'Bearer {{KEY_OK}} ' } }), '401 invalid_key'],
  'bearer-two-spaces': [http({ headers: { authorization: 'Bearer  {{KEY_OK}}' } }), '401 invalid_key'],
  'key-in-query-beside': [http({ path: '/api/x?api_key={{KEY_ADMIN}}' }), CREDENTIAL],
  'key-in-cookie': [http({ headers: { cookie: 'x-api-key={{KEY_OK}}' } }), '401 missing_credential'],
  none: [http({ headers: {} }), '401 missing_credential'],
  'no-headers-public': [http({ path: '/public/x', headers: {} }), 'allow'],
  // raw values
  'raw-value': [
    http({
      headers: {},
      headerMap: {
        headers: [
          { key: 'x-a', rawValue: 'w6nDqA==' },
          { key: 'x-api-key', value: '{{KEY_OK}}' },
        ],
      },
    }),
    'allow',
  ],
  'raw-no-utf8': [
    http({
      headers: {},
      headerMap: {
        headers: [
          { key: 'x-a', rawValue: '//79' },
          { key: 'x-api-key', value: '{{KEY_OK}}' },
        ],
      },
    }),
    'allow',
  ],
  'raw-line-break': [
    http({
      headers: {},
      headerMap: {
        headers: [
          { key: 'x-a', rawValue: 'YQ0KYg==' },
          { key: 'x-api-key', value: '{{KEY_OK}}' },
        ],
      },
    }),
    REQUEST,
  ],
  'raw-nul': [
    http({
      ...listed(KEY),
      headerMap: {
        headers: [
          { key: 'x-api-key', value: '{{KEY_OK}}' },
          { key: 'x-a', rawValue: 'AA==' },
        ],
      },
    }),
    REQUEST,
  ],
  'raw-key-no-utf8': [
    http({ headers: {}, headerMap: { headers: [{ key: 'x-api-key', rawValue: '/////w==' }] } }),
    '401 invalid_key',
  ],
  'raw-empty-beside-value': [
    http({ headers: {}, headerMap: { headers: [{ key: 'x-api-key', value: '{{KEY_OK}}', rawValue: '' }] } }),
    'allow',
  ],
  'raw-other-than-value': [
    http({ headers: {}, headerMap: { headers: [{ key: 'x-api-key', value: '{{KEY_OK}}', rawValue: 'eA==' }] } }),
    '401 invalid_key',
  ],
  // what is not a header
  'name-empty': [http(withHeaders({ '': 'a' })), REQUEST],
  'name-space': [http(withHeaders({ 'x-api-key ': 'a' })), REQUEST],
  'name-colon': [http(withHeaders({ 'x-api-key:': 'a' })), REQUEST],
  'name-line-break': [http(withHeaders({ 'x-a\r\nx-api-key': 'a' })), REQUEST],
  'name-beyond-ascii': [http(withHeaders({ 'x-\u212Aeyward-key-id': 'a' })), REQUEST],
  'value-line-break': [http(withHeaders({ 'x-a': 'b\r\nX-Keyward-Key-Id: admin' })), REQUEST],
  'value-utf8': [http(withHeaders({ 'x-a': 'caf\u00e9 \u{1f511}' })), 'allow'],
  'value-tab': [http(withHeaders({ 'x-a': 'a\tb' })), 'allow'],
  'pseudo-unknown': [http(withHeaders({ ':keyward': 'a' })), REQUEST],
  'pseudo-status': [http(withHeaders({ ':status': '200' })), REQUEST],
  'pseudo-same': [
    http(withHeaders({ ':path': '/api/x', ':method': 'GET', ':authority': 'api.test', ':scheme': 'https' })),
    'allow',
  ],
  'pseudo-other-path': [http(withHeaders({ ':path': '/admin/users' })), REQUEST],
  'pseudo-other-method': [http(withHeaders({ ':method': 'DELETE' })), REQUEST],
  'pseudo-other-authority': [http(withHeaders({ ':authority': 'staging.test' })), REQUEST],
  // names that only Keyward may send
  'spoof-key-id': [http(withHeaders({ 'x-keyward-key-id': 'kw_prod_AAAAAAAAAAAA' })), 'allow'],
  'spoof-key-id-case': [http(withHeaders({ 'X-Keyward-Key-Id': 'kw_prod_AAAAAAAAAAAA' })), 'allow'],
  'spoof-unknown': [http(withHeaders({ 'x-keyward-new': 'a' })), 'allow'],
  'spoof-unknown-case-in-list': [
    http(listed(KEY, ['X-KEYWARD-New', 'a'], ['x-keyward-permissions', 'admin:all'])),
    'allow',
  ],
  'spoof-underscore': [http(withHeaders({ x_keyward_key_id: 'a' })), REQUEST],
  'spoof-underscore-in-list': [http(listed(KEY, ['X_Keyward-Key_Id', 'a'])), REQUEST],
  'spoof-dot': [http(withHeaders({ 'x.keyward.key.id': 'a' })), REQUEST],
  'spoof-apikey-underscore': [http(withHeaders({ x_api_key: '{{KEY_ADMIN}}' })), REQUEST],
  'spoof-host-underscore-none': [http(withHeaders({ content_length: '5' })), REQUEST],
  'override-method': [http(withHeaders({ 'x-http-method-override': 'DELETE' })), REQUEST],
  'override-method-in-query': [http({ path: '/api/x?_method=DELETE' }), REQUEST],
  'original-path': [
    http(withHeaders({ 'x-envoy-original-path': '/admin/users', 'x-original-url': '/admin/users' })),
    'allow',
  ],
  // hosts
  'host-none': [http({ host: '' }), REQUEST],
  'host-userinfo': [http({ host: 'a@api.test' }), REQUEST],
  'host-userinfo-key': [http({ host: 'api.test@evil.test' }), REQUEST],
  'host-port': [http({ host: 'api.test:8443' }), 'allow'],
  'host-port-empty': [http({ host: 'api.test:' }), 'allow'],
  'host-port-beyond': [http({ host: 'api.test:65536' }), REQUEST],
  'host-upper-case': [http({ host: 'API.Test' }), 'allow'],
  'host-dot-behind': [http({ host: 'api.test.' }), 'allow'],
  'host-two-dots': [http({ host: 'api..test' }), REQUEST],
  'host-list': [http({ host: 'api.test, staging.test' }), REQUEST],
  'host-path': [http({ host: 'api.test/admin' }), REQUEST],
  'host-space': [http({ host: ' api.test' }), REQUEST],
  'host-kelvin': [http({ host: 'api.te\u017Ft' }), REQUEST],
  'host-unknown': [http({ host: 'internal' }), '403 unknown_host'],
  'host-header-same': [http(withHeaders({ host: 'api.test' })), 'allow'],
  'host-header-other': [http(withHeaders({ host: 'staging.test' })), REQUEST],
  'host-header-only': [http({ host: '', headers: { ...BEARER, host: 'api.test' } }), 'allow'],
  'host-forwarded': [
    http({ host: 'staging.test', headers: { ...BEARER, 'x-forwarded-host': 'api.test' } }),
    '401 wrong_environment',
  ],
  // paths and what stands beside them
  'path-absolute': [http({ path: 'http://api.test/api/x' }), PATH],
  'path-network': [http({ path: '//admin/users' }), PATH],
  'path-asterisk': [http({ method: 'OPTIONS', path: '*' }), PATH],
  'path-dots': [http({ path: '/api/../admin/users' }), PATH],
  'path-encoded-dots': [http({ path: '/api/%2e%2e/admin/users' }), PATH],
  'path-encoded-slash': [http({ path: '/api%2fx' }), PATH],
  'path-backslash': [http({ path: '/api\\..\\admin' }), PATH],
  'path-nul': [http({ path: '/api/x\0/admin' }), PATH],
  'path-line-break': [http({ path: '/api/x\r\nX-Keyward-Key-Id: a' }), PATH],
  'path-space': [http({ path: '/api/x HTTP/1.1' }), PATH],
  'path-utf8': [http({ path: '/api/caf\u00e9' }), PATH],
  'path-utf8-encoded': [http({ path: '/api/caf%C3%A9' }), 'allow'],
  'path-encoded-bang': [http({ path: '/api/x%21' }), 'allow'],
  'path-bang-in-query': [http({ path: '/api/x?a=!' }), 'allow'],
  'path-bang-public': [http({ path: '/public/!', headers: {} }), PATH],
  'path-8k': [http({ path: `/api/${'a'.repeat(8000)}` }), 'allow'],
  'path-admin': [http({ path: '/admin/users' }), '403 missing_permission'],
  'path-admin-upper-case': [http({ path: '/ADMIN/users' }), '403 no_route'],
  'query-field': [http({ query: 'a=b' }), PATH],
  'query-field-and-in-path': [http({ path: '/api/x?a=b', query: 'a=b' }), PATH],
  'query-empty-in-path': [http({ path: '/api/x?' }), 'allow'],
  'fragment-field': [http({ fragment: '/../admin' }), PATH],
  'scheme-odd': [http({ scheme: 'javascript', protocol: 'HTTP/0.9' }), 'allow'],
  'size-and-body': [http({ size: -1, body: 'GET /admin HTTP/1.1\r\n\r\n', rawBody: 'AA==' }), 'allow'],
  // methods
  'method-lower-case': [http({ method: 'get' }), REQUEST],
  'method-none': [http({ method: '' }), REQUEST],
  'method-unknown': [http({ method: 'FOO' }), REQUEST],
  'method-connect': [http({ method: 'CONNECT', path: '/api/x' }), REQUEST],
  'method-trace': [http({ method: 'TRACE' }), REQUEST],
  'method-space': [http({ method: 'GET ' }), REQUEST],
  'method-two': [http({ method: 'GET\r\nDELETE' }), REQUEST],
  'method-head': [http({ method: 'HEAD' }), 'allow'],
  'method-post': [http({ method: 'POST' }), '403 no_route'],
  // who asks
  'source-near': [from(socket('127.0.0.1')), 'allow'],
  'source-mapped': [from(socket('::ffff:127.0.0.1')), 'allow'],
  'source-mapped-hex': [from(socket('::ffff:7f00:1')), 'allow'],
  'source-far': [from(socket('203.0.113.9')), '403 address_not_allowed'],
  'source-far-allowed': [from(socket('203.0.113.9'), 'KEY_FAR'), 'allow production'],
  'source-none': [http({ headers: { authorization: 'Bearer {{KEY_NEAR}}' } }), '403 address_not_allowed'],
  'source-empty': [from(socket('')), '403 address_not_allowed'],
  'source-name': [from(socket('localhost')), '403 address_not_allowed'],
  'source-octal': [from(socket('0177.0.0.1')), '403 address_not_allowed'],
  'source-with-port': [from(socket('127.0.0.1:80')), '403 address_not_allowed'],
  'source-zone': [from(socket('::ffff:127.0.0.1%lo')), '403 address_not_allowed'],
  'source-list': [from(socket('127.0.0.1, 203.0.113.9')), '403 address_not_allowed'],
  'source-pipe': [from({ pipe: { path: '/127.0.0.1' } }), '403 address_not_allowed'],
  'source-internal': [from({ envoyInternalAddress: { serverListenerName: '127.0.0.1' } }), '403 address_not_allowed'],
  'source-forwarded': [
    http(
      {
        headers: {
          authorization: 'Bearer {{KEY_NEAR}}',
          'x-forwarded-for': '127.0.0.1',
          'x-real-ip': '127.0.0.1',
          'x-envoy-external-address': '127.0.0.1',
        },
      },
      { source: { address: socket('203.0.113.9') } },
    ),
    '403 address_not_allowed',
  ],
  'source-principal': [
    http(
      { headers: {} },
      {
        source: {
          principal: 'spiffe://acme/admin',
          certificate: '{{KEY_ADMIN}}',
          labels: { 'x-api-key': '{{KEY_ADMIN}}' },
        },
      },
    ),
    '401 missing_credential',
  ],
  'destination-near': [
    http({ headers: { authorization: 'Bearer {{KEY_NEAR}}' } }, { destination: { address: socket('127.0.0.1') } }),
    '403 address_not_allowed',
  ],
  // context extensions
  'extension-unknown': [
    http({}, { contextExtensions: { 'keyward.allow': 'true', virtual_host: 'x', '': '' } }),
    'allow',
  ],
  'extension-upper-case': [http({}, { contextExtensions: { 'Keyward.Environment': 'staging' } }), 'allow'],
  'extension-environment': [
    http(
      { headers: { authorization: 'Bearer {{KEY_STAGING}}' } },
      { contextExtensions: { 'keyward.environment': 'staging' } },
    ),
    'allow staging',
  ],
  'extension-environment-other-key': [
    http({}, { contextExtensions: { 'keyward.environment': 'staging' } }),
    '401 wrong_environment',
  ],
  'extension-environment-unknown': [
    http({}, { contextExtensions: { 'keyward.environment': 'none' } }),
    '403 unknown_host',
  ],
  'extension-environment-empty': [http({}, { contextExtensions: { 'keyward.environment': '' } }), '403 unknown_host'],
  'extension-api': [
    http(
      { host: 'internal' },
      { contextExtensions: { 'keyward.api': 'team-a/orders', 'keyward.environment': 'production' } },
    ),
    'allow internal',
  ],
  'extension-api-unknown': [http({}, { contextExtensions: { 'keyward.api': 'team-a/other' } }), '403 unknown_host'],
  'extension-api-prototype': [
    http({}, { contextExtensions: { 'keyward.api': '__proto__', 'keyward.environment': 'constructor' } }),
    '403 unknown_host',
  ],
  'extension-as-header': [
    http({ headers: { authorization: 'Bearer {{KEY_STAGING}}', 'keyward.environment': 'staging' } }),
    '401 wrong_environment',
  ],
  'extension-as-metadata': [
    http(
      { headers: { authorization: 'Bearer {{KEY_STAGING}}' } },
      {
        metadataContext: {
          filterMetadata: { keyward: { fields: { 'keyward.environment': { stringValue: 'staging' } } } },
        },
      },
    ),
    '401 wrong_environment',
  ],
  'extensions-many': [
    http({}, { contextExtensions: Object.fromEntries(Array.from({ length: 200 }, (_none, i) => [`x-${i}`, 'a'])) }),
    REQUEST,
  ],
  // too much
  'headers-100': [
    http(withHeaders(Object.fromEntries(Array.from({ length: 100 }, (_none, i) => [`x-${i}`, 'a'])))),
    'allow',
  ],
  'headers-1000': [
    http(withHeaders(Object.fromEntries(Array.from({ length: 1000 }, (_none, i) => [`x-${i}`, 'a'])))),
    REQUEST,
  ],
  'list-1000': [http(listed(KEY, ...Array.from({ length: 1000 }, (_none, i): Named => [`x-${i}`, 'a']))), REQUEST],
  'header-of-60k': [http(withHeaders({ 'x-a': 'a'.repeat(60_000) })), 'allow'],
  'message-of-1m': [http({ body: 'a'.repeat(1024 * 1024) }), REQUEST],
  'index-names': [http(withHeaders({ __proto__x: 'a', constructor: 'a', 0: 'a', length: '9' })), 'allow'],
}

export const MORE_GRPC: readonly GrpcCase[] = Object.entries(more).map(([id, [message, comes]]) => ({
  id,
  input: JSON.stringify(message),
  comes,
}))
