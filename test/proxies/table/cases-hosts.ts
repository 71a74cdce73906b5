/** Which API a request asks, by its host; and where its caller is. */
import { allowed, type Case, denied } from './case.ts'

export const HOST_CASES: readonly Case[] = [
  { name: 'a host of no API', key: 'good', host: 'other.test', expected: denied('unknown_host') },
  {
    name: 'a host of no API, without a credential',
    host: 'other.test',
    target: '/public/status',
    expected: denied('unknown_host'),
  },
  { name: 'a host with a port', key: 'good', host: 'api.table.test:8443', expected: allowed('good') },
  { name: 'a host with a trailing dot', key: 'good', host: 'api.table.test.', expected: allowed('good') },
  { name: 'a host with a trailing dot and a port', key: 'good', host: 'api.table.test.:80', expected: allowed('good') },
  { name: 'a host in upper case', key: 'good', host: 'API.Table.TEST', expected: allowed('good') },
  {
    name: 'a label under a wildcard',
    key: 'development',
    host: 'ana.dev.table.test',
    expected: allowed('development'),
  },
  {
    name: 'two labels under a wildcard',
    key: 'development',
    host: 'a.b.dev.table.test',
    expected: denied('unknown_host'),
  },
  { name: 'no label under a wildcard', key: 'development', host: 'dev.table.test', expected: denied('unknown_host') },
  { name: 'an address as the host', key: 'good', host: '127.0.0.1', expected: denied('unknown_host') },
  {
    name: 'two Host headers',
    key: 'good',
    headers: ['Host', 'other.test'],
    expected: denied('ambiguous_request'),
  },
  { name: 'an empty host', key: 'good', host: '', expected: denied('ambiguous_request') },
  {
    name: 'a host with a user in front',
    key: 'good',
    host: 'ana@api.table.test',
    expected: denied('ambiguous_request'),
  },
  {
    name: 'X-Forwarded-Host does not choose the API',
    key: 'good',
    host: 'other.test',
    headers: ['X-Forwarded-Host', 'api.table.test'],
    expected: denied('unknown_host'),
  },
  {
    name: 'X-Forwarded-Host does not choose the environment',
    key: 'staging',
    headers: ['X-Forwarded-Host', 'staging.table.test'],
    expected: denied('wrong_environment'),
  },
  { name: 'a key for this address', key: 'near', expected: allowed('near') },
  { name: 'a key for other addresses', key: 'far', expected: denied('address_not_allowed') },
  {
    name: 'X-Forwarded-For does not move the caller there',
    key: 'far',
    headers: ['X-Forwarded-For', '203.0.113.9'],
    expected: denied('address_not_allowed'),
  },
  {
    name: 'X-Forwarded-For does not move the caller away',
    key: 'near',
    headers: ['X-Forwarded-For', '203.0.113.9'],
    expected: allowed('near'),
  },
  {
    name: 'X-Real-IP does not move the caller there',
    key: 'far',
    headers: ['X-Real-IP', '203.0.113.9'],
    expected: denied('address_not_allowed'),
  },
  {
    name: 'an address is told of before a route',
    key: 'far',
    target: '/v1/nowhere',
    expected: denied('address_not_allowed'),
  },
]
