/** Where a credential may stand, and what becomes of one that is not good. */
import { allowed, type Case, denied } from './case.ts'

const ALIEN = `kw_prod_AAAAAAAAAAAA_${'A'.repeat(43)}`

export const CREDENTIAL_CASES: readonly Case[] = [
  { name: 'a key as a Bearer', key: 'good', expected: allowed('good') },
  { name: 'bearer in lower case', headers: ['Authorization', 'bearer {{key:good}}'], expected: allowed('good') },
  { name: 'a key as X-API-Key', headers: ['X-API-Key', '{{key:good}}'], expected: allowed('good') },
  { name: 'x-api-key in lower case', headers: ['x-api-key', '{{key:good}}'], expected: allowed('good') },
  {
    name: 'spaces around a key',
    headers: ['X-API-Key', ' {{key:good}} \t'],
    expected: allowed('good'),
  },
  { name: 'ID and Secret as Basic', headers: ['Authorization', 'Basic {{basic:good}}'], expected: allowed('good') },
  { name: 'BASIC in upper case', headers: ['Authorization', 'BASIC {{basic:good}}'], expected: allowed('good') },
  { name: 'no credential', expected: denied('missing_credential') },
  {
    name: 'another scheme counts as no credential',
    headers: ['Authorization', 'Digest username="ana"'],
    expected: denied('missing_credential'),
  },
  {
    name: 'another scheme beside a key',
    headers: ['Authorization', 'Digest username="ana"', 'X-API-Key', '{{key:good}}'],
    expected: allowed('good'),
  },
  {
    name: 'a key in a cookie is no credential',
    headers: ['Cookie', 'api_key={{key:good}}'],
    expected: denied('missing_credential'),
  },
  {
    name: 'a key in the query is no credential',
    target: '/v1/things?api_key={{key:good}}',
    expected: denied('missing_credential'),
  },
  {
    name: 'a key in a header and another in the query',
    key: 'good',
    target: '/v1/things?api_key={{key:reader}}',
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'the same key as Bearer and as X-API-Key',
    key: 'good',
    headers: ['X-API-Key', '{{key:good}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'two keys as Bearer and as X-API-Key',
    key: 'good',
    headers: ['X-API-Key', '{{key:reader}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'Basic beside X-API-Key',
    headers: ['Authorization', 'Basic {{basic:good}}', 'X-API-Key', '{{key:good}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'two Authorization headers',
    key: 'good',
    headers: ['Authorization', 'Bearer {{key:reader}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'two X-API-Key headers',
    headers: ['X-API-Key', '{{key:good}}', 'X-API-Key', '{{key:reader}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'two keys in one X-API-Key',
    headers: ['X-API-Key', '{{key:good}},{{key:reader}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'two keys in one Bearer',
    headers: ['Authorization', 'Bearer {{key:good}}, Bearer {{key:reader}}'],
    expected: denied('ambiguous_credential'),
  },
  {
    name: 'a malformed key as a Bearer',
    headers: ['Authorization', 'Bearer kw_prod_short'],
    expected: denied('invalid_key'),
  },
  { name: 'an empty Bearer', headers: ['Authorization', 'Bearer'], expected: denied('invalid_key') },
  {
    name: 'a Bearer that is no key, where no tokens are taken',
    headers: ['Authorization', 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
    expected: denied('invalid_key'),
  },
  {
    name: 'a Bearer that is no key, where tokens are taken',
    host: 'open.table.test',
    headers: ['Authorization', 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
    expected: denied('invalid_token'),
  },
  {
    name: 'a malformed X-API-Key',
    headers: ['X-API-Key', 'letmein'],
    expected: denied('invalid_key'),
  },
  {
    name: 'a quoted key',
    headers: ['X-API-Key', '"{{key:good}}"'],
    expected: denied('invalid_key'),
  },
  {
    name: 'a Basic that is not base64',
    headers: ['Authorization', 'Basic %%%%'],
    expected: denied('invalid_key'),
  },
  {
    name: 'a Basic whose name is no key ID',
    headers: ['Authorization', `Basic ${Buffer.from('ana:secret').toString('base64')}`],
    expected: denied('invalid_key'),
  },
  {
    name: 'a key ID alone',
    headers: ['Authorization', 'Bearer {{id:good}}'],
    expected: denied('invalid_key'),
  },
  { name: 'a wrong checksum', headers: ['Authorization', `Bearer ${ALIEN}AAAAAA`], expected: denied('invalid_key') },
  {
    name: 'an ID with the Secret of another key',
    headers: ['X-API-Key', '{{id:good}}_{{secret:reader}}'],
    expected: denied('invalid_key'),
  },
  { name: 'a key of another installation', key: 'unknown', expected: denied('invalid_key') },
  { name: 'a replaced secret', key: 'replaced@1', expected: denied('invalid_key') },
  { name: 'the secret that replaced it', key: 'replaced', expected: allowed('replaced') },
  { name: 'a replaced secret within its overlap', key: 'overlapping@1', expected: allowed('overlapping') },
  { name: 'the new secret meanwhile', key: 'overlapping', expected: allowed('overlapping') },
  { name: 'a replaced secret behind its overlap', key: 'lapsed@1', expected: denied('invalid_key') },
  { name: 'a suspended key', key: 'suspended', expected: denied('key_inactive') },
  {
    name: 'a suspended key as Basic',
    headers: ['Authorization', 'Basic {{basic:suspended}}'],
    expected: denied('key_inactive'),
  },
  { name: 'a revoked key', key: 'revoked', expected: denied('key_inactive') },
  { name: 'an expired key', key: 'expired', expected: denied('key_expired') },
  { name: 'a staging key in production', key: 'staging', expected: denied('wrong_environment') },
  {
    name: 'a production key in staging',
    key: 'good',
    host: 'staging.table.test',
    expected: denied('wrong_environment'),
  },
  { name: 'a staging key in staging', key: 'staging', host: 'staging.table.test', expected: allowed('staging') },
  {
    name: 'a suspended key is told of before its address or route',
    key: 'suspended',
    target: '/v1/nowhere',
    expected: denied('key_inactive'),
  },
]
