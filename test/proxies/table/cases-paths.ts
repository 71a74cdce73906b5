/** Targets that two servers could read differently: no proxy lets one of them through. */
import { type Case, denied } from './case.ts'

const AMBIGUOUS: Readonly<Record<string, string>> = {
  'a dot segment': '/v1/./things',
  'two dots': '/public/../v1/things/special',
  'two dots at the end': '/v1/things/..',
  'dots that are encoded': '/public/%2e%2e/v1/things/special',
  'one dot that is encoded': '/public/.%2E/v1/things/special',
  'dots that are encoded twice': '/public/%252e%252e/v1/things/special',
  'a slash that is encoded': '/v1/things/a%2Fb',
  'a slash that is encoded, in lower case': '/public/..%2fv1',
  'a backslash': '/public\\..\\v1\\things',
  'a backslash that is encoded': '/public/..%5Cv1',
  'two slashes': '/v1//things',
  'two slashes in front': '//v1/things',
  'a semicolon': '/v1/things;v=1',
  'a semicolon behind dots': '/public/..;/v1/things/special',
  'a semicolon that is encoded': '/v1/things%3Bv=1',
  'a fragment': '/v1/things#x',
  'a fragment that is encoded': '/v1/things%23x',
  'a question mark that is encoded': '/v1/things%3Fx',
  'a letter that is encoded': '/v1/%74hings',
  'a tilde that is encoded': '/v1/things/%7Eana',
  'a percent sign alone': '/v1/things/100%',
  'a percent sign that is encoded': '/v1/things/100%25',
  'a NUL that is encoded': '/v1/things/a%00',
  'a line break that is encoded': '/v1/things/a%0D%0Ab',
  'bytes that are not UTF-8': '/v1/things/%C3',
  'an overlong slash': '/v1/things/%C0%AF',
  'a full-width slash': '/v1/things/%EF%BC%8F',
  'eight bits as they are': '/v1/things/caf\xc3\xa9',
  'another site as the target': 'http://other.test/v1/things',
}

export const PATH_CASES: readonly Case[] = Object.entries(AMBIGUOUS).map(([what, target]) => ({
  name: `an ambiguous path: ${what}`,
  key: 'good',
  target,
  expected: denied('ambiguous_path'),
}))
