/** Headers: the identity that nobody else may send, methods in disguise, request IDs, and what only has to pass. */
import { allowed, type Case, denied } from './case.ts'

const SPOOFED = [
  ...['X-Keyward-Key-Id', 'kw_prod_AAAAAAAAAAAA', 'X-Keyward-Permissions', 'admin:all', 'X-Keyward-Subject', 'root'],
  ...['x-keyward-namespace', 'org-2', 'X-KEYWARD-USER-GROUP', 'admins', 'X-Keyward-Principal', 'token'],
]

const alias = (what: string, ...headers: readonly string[]): Case => ({
  name: `an identity header in another spelling: ${what}`,
  key: 'good',
  headers,
  expected: denied('ambiguous_request'),
})

const override = (name: string): Case => ({
  name: `a method in disguise: ${name}`,
  key: 'good',
  headers: [name, 'DELETE'],
  expected: denied('ambiguous_request'),
})

export const HEADER_CASES: readonly Case[] = [
  { name: 'identity headers of the caller are replaced', key: 'good', headers: SPOOFED, expected: allowed('good') },
  {
    name: 'identity headers of the caller are replaced on a public route',
    target: '/public/status',
    headers: SPOOFED,
    expected: allowed('anonymous'),
  },
  {
    name: 'an identity header that is sent twice is replaced',
    key: 'good',
    headers: ['X-Keyward-Key-Id', 'a', 'X-Keyward-Key-Id', 'b'],
    expected: allowed('good'),
  },
  {
    name: 'a name of Keyward’s that it does not set',
    key: 'good',
    headers: ['X-Keyward-Made-Up', 'yes'],
    expected: allowed('good'),
  },
  {
    name: 'identity headers that Connection names arrive all the same',
    key: 'good',
    headers: ['Connection', 'x-keyward-key-id, X-Keyward-Permissions'],
    expected: allowed('good'),
  },
  {
    name: 'a header that Connection names does not arrive',
    key: 'good',
    headers: ['Connection', 'X-Of-This-Hop', 'X-Of-This-Hop', 'yes'],
    expected: allowed('good', { upstream: { 'x-of-this-hop': undefined } }),
  },
  {
    name: 'a credential that Connection names is none',
    key: 'good',
    headers: ['Connection', 'Authorization'],
    expected: denied('missing_credential'),
  },
  alias('underscores', 'X_Keyward_Key_Id', 'kw_prod_AAAAAAAAAAAA'),
  alias('one underscore', 'X-Keyward_Key-Id', 'kw_prod_AAAAAAAAAAAA'),
  alias('dots', 'X.Keyward.Key.Id', 'kw_prod_AAAAAAAAAAAA'),
  alias('other characters of a name', 'X!Keyward~Permissions', 'admin:all'),
  {
    ...alias('underscores on a public route', 'X_Keyward_Key_Id', 'kw_prod_AAAAAAAAAAAA'),
    key: 'good',
    target: '/public/status',
  },
  {
    name: 'a credential in another spelling',
    key: 'good',
    headers: ['X_API_Key', '{{key:reader}}'],
    expected: denied('ambiguous_request'),
  },
  override('X-HTTP-Method-Override'),
  override('X-HTTP-Method'),
  override('X-Method-Override'),
  override('X_HTTP_Method_Override'),
  {
    name: 'a method in disguise: _method in the query',
    key: 'good',
    target: '/v1/things?_method=DELETE',
    expected: denied('ambiguous_request'),
  },
  {
    name: 'a request ID is taken over',
    key: 'good',
    headers: ['X-Request-Id', 'order-4711_a.b'],
    expected: allowed('good'),
  },
  {
    name: 'a request ID is taken over into a refusal',
    headers: ['X-Request-Id', 'order-4711_a.b'],
    expected: denied('missing_credential'),
  },
  {
    name: 'a request ID that could be misread is replaced',
    key: 'good',
    headers: ['X-Request-Id', 'a b"c'],
    expected: allowed('good'),
  },
  {
    name: 'a request ID that is too long is replaced',
    key: 'good',
    headers: ['X-Request-Id', 'a'.repeat(129)],
    expected: allowed('good'),
  },
  {
    name: 'a request ID that is too long is replaced in a refusal',
    headers: ['X-Request-Id', 'a'.repeat(129)],
    expected: denied('missing_credential'),
  },
  {
    name: 'other headers pass as they are',
    key: 'good',
    headers: ['X-Tenant', 'a, b', 'Accept', 'text/*;q=0.5', 'If-None-Match', '"x"', 'Cookie', 'a=b; c=d'],
    expected: allowed('good', {
      upstream: { 'x-tenant': 'a, b', accept: 'text/*;q=0.5', 'if-none-match': '"x"', cookie: 'a=b; c=d' },
    }),
  },
  {
    name: 'a header value in UTF-8',
    key: 'good',
    headers: ['X-Title', 'caf\xc3\xa9'],
    expected: allowed('good', { upstream: { 'x-title': 'caf\xc3\xa9' } }),
  },
  {
    name: 'a header value in Latin-1',
    key: 'good',
    headers: ['X-Title', 'caf\xe9'],
    expected: allowed('good', { upstream: { 'x-title': 'caf\xe9' } }),
  },
  {
    name: 'a header value of 3,000 characters',
    key: 'good',
    headers: ['X-Long', 'v'.repeat(3000)],
    expected: allowed('good', { upstream: { 'x-long': 'v'.repeat(3000) } }),
  },
  {
    name: 'fifty headers',
    key: 'good',
    headers: Array.from({ length: 50 }, (_, i) => [`X-Number-${i}`, String(i)]).flat(),
    expected: allowed('good', { upstream: { 'x-number-0': '0', 'x-number-49': '49' } }),
  },
  {
    name: 'X-Original-URI does not choose the path',
    key: 'good',
    target: '/v1/things/special',
    headers: ['X-Original-URI', '/public/status', 'X-Original-URL', 'http://api.table.test/public/status'],
    expected: denied('missing_permission', { permission: 'thing:special' }),
  },
  {
    name: 'X-Forwarded-Uri does not choose the path',
    key: 'good',
    target: '/v1/things/special',
    headers: ['X-Forwarded-Uri', '/public/status'],
    expected: denied('missing_permission', { permission: 'thing:special' }),
  },
  {
    name: 'X-Original-Method and X-Forwarded-Method do not choose the method',
    key: 'reader',
    method: 'DELETE',
    target: '/v1/things/1',
    headers: ['X-Original-Method', 'GET', 'X-Forwarded-Method', 'GET'],
    expected: denied('missing_permission', { permission: 'thing:write' }),
  },
]
