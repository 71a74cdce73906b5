/** Rates and quotas: what is left is told, what is used up is refused, and a refused request costs nothing. */
import { allowed, type Case, denied } from './case.ts'

export const LIMIT_CASES: readonly Case[] = [
  {
    name: 'what is left of a rate and a quota',
    key: 'metered',
    expected: allowed('metered', {
      caller: {
        'ratelimit-policy': /^"rate";q=600;w=60, "quota";q=1000;w=2(?:419|505|592|678)\d{3}$/,
        ratelimit: /^"rate";r=59;t=1, "quota";r=999;t=\d+$/,
        'retry-after': undefined,
      },
    }),
  },
  {
    name: 'what is left of a rate, in the answer to HEAD',
    method: 'HEAD',
    key: 'metered',
    expected: allowed('metered', {
      caller: {
        'ratelimit-policy': /^"rate";q=600;w=60, "quota"/,
        ratelimit: /^"rate";r=5\d;t=\d+, "quota";r=998;t=\d+$/,
      },
    }),
  },
  {
    name: 'the last of a rate',
    key: 'rate',
    before: 1,
    expected: allowed('rate', {
      caller: { 'ratelimit-policy': '"rate";q=2;w=86400', ratelimit: /^"rate";r=0;t=86[34]\d\d$/ },
    }),
  },
  {
    name: 'a rate that is used up',
    key: 'rate',
    expected: denied('rate_limited', {
      caller: {
        'ratelimit-policy': '"rate";q=2;w=86400',
        ratelimit: /^"rate";r=0;t=43[12]\d\d$/,
        'retry-after': /^43[12]\d\d$/,
      },
    }),
  },
  {
    name: 'HEAD when the rate is used up',
    method: 'HEAD',
    key: 'rate',
    expected: denied('rate_limited', {
      caller: {
        'ratelimit-policy': '"rate";q=2;w=86400',
        ratelimit: /^"rate";r=0;t=43[12]\d\d$/,
        'retry-after': /^43[12]\d\d$/,
      },
    }),
  },
  {
    name: 'a rate that is used up, as Basic',
    headers: ['Authorization', 'Basic {{basic:rate}}'],
    expected: denied('rate_limited', {
      caller: { ratelimit: /^"rate";r=0;t=43[12]\d\d$/, 'retry-after': /^43[12]\d\d$/ },
    }),
  },
  {
    name: 'a route of no permission is refused before a rate that is used up',
    key: 'rate',
    target: '/v1/things/special',
    expected: denied('missing_permission', { permission: 'thing:special' }),
  },
  {
    name: 'public routes go on when the rate is used up',
    key: 'rate',
    target: '/public/status',
    expected: allowed('anonymous'),
  },
  {
    name: 'the last of a quota',
    key: 'quota',
    expected: allowed('quota', {
      caller: { 'ratelimit-policy': /^"quota";q=1;w=2\d{6}$/, ratelimit: /^"quota";r=0;t=\d+$/ },
    }),
  },
  {
    name: 'a quota that is used up',
    key: 'quota',
    expected: denied('quota_exhausted', {
      caller: {
        'ratelimit-policy': /^"quota";q=1;w=2\d{6}$/,
        ratelimit: /^"quota";r=0;t=\d+$/,
        'retry-after': /^[1-9]\d{0,6}$/,
      },
    }),
  },
  {
    name: 'refused requests of a key with one request a day',
    key: 'thrifty',
    target: '/v1/nowhere',
    before: 3,
    expected: denied('no_route'),
  },
  {
    name: 'its one request after them',
    key: 'thrifty',
    expected: allowed('thrifty', {
      caller: { 'ratelimit-policy': '"rate";q=1;w=86400', ratelimit: /^"rate";r=0;t=86[34]\d\d$/ },
    }),
  },
]
