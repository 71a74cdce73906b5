/** Lists that are narrowed: by a header, in the query, in the response. */
import { allowed, type Case, denied } from './case.ts'
import { WHOLE_LIST } from './upstream.ts'

const [TOLD, ASKED, CUT] = ['/v1/lists/told', '/v1/lists/asked', '/v1/lists/cut']

export const LIST_CASES: readonly Case[] = [
  {
    name: 'a list that the upstream narrows, by a workspace',
    key: 'good',
    target: TOLD,
    expected: allowed('good', { visible: 'eu-1', body: WHOLE_LIST }),
  },
  {
    name: 'a list that the upstream narrows, by an application',
    key: 'application',
    target: `${TOLD}?page=2`,
    expected: allowed('application', { visible: 'eu-1,us-1', body: WHOLE_LIST }),
  },
  {
    name: 'HEAD of a list that the upstream narrows',
    method: 'HEAD',
    key: 'application',
    target: TOLD,
    expected: allowed('application', { visible: 'eu-1,us-1' }),
  },
  {
    name: 'a list of which nothing is visible',
    key: 'nothing-inside',
    target: TOLD,
    expected: allowed('nothing-inside', { visible: '', body: WHOLE_LIST }),
  },
  {
    name: 'a list that is longer than a header',
    key: 'large',
    target: TOLD,
    expected: allowed('large', { visible: '@within/application/app-large', body: WHOLE_LIST }),
  },
  {
    name: 'a list of what stands above',
    key: 'group',
    target: '/v1/lists/applications',
    expected: allowed('group', { visible: 'app-7', body: WHOLE_LIST }),
  },
  {
    name: 'a list of what does not stand above',
    key: 'staff',
    target: '/v1/lists/applications',
    expected: denied('outside_namespace'),
  },
  {
    name: 'a list by a type that it does not name',
    key: 'organization',
    target: TOLD,
    expected: denied('outside_namespace'),
  },
  {
    name: 'a caller’s own x-keyward-visible does not count',
    key: 'good',
    target: TOLD,
    headers: ['X-Keyward-Visible', '*'],
    expected: allowed('good', { visible: 'eu-1', body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids',
    key: 'application',
    target: ASKED,
    expected: allowed('application', { visible: 'eu-1,us-1', target: `${ASKED}?id=eu-1,us-1`, body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids, with a query',
    key: 'good',
    target: `${ASKED}?page=2`,
    expected: allowed('good', { visible: 'eu-1', target: `${ASKED}?page=2&id=eu-1`, body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids, of which the caller wants one',
    key: 'application',
    target: `${ASKED}?id=us-1`,
    expected: allowed('application', { visible: 'eu-1,us-1', target: `${ASKED}?id=us-1`, body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids, of which the caller wants one in other letters',
    key: 'application',
    target: `${ASKED}?ID=us-1&page=2`,
    expected: allowed('application', { visible: 'eu-1,us-1', target: `${ASKED}?page=2&id=us-1`, body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids, of which the caller wants one, encoded',
    key: 'application',
    target: `${ASKED}?%69d=us%2D1&a=%20b`,
    expected: allowed('application', { visible: 'eu-1,us-1', target: `${ASKED}?a=%20b&id=us-1`, body: WHOLE_LIST }),
  },
  {
    name: 'a list that is asked for by ids, of which the caller wants others',
    key: 'application',
    target: `${ASKED}?id=eu-2`,
    expected: denied('ambiguous_request'),
  },
  {
    name: 'a list that is asked for by ids, and the caller asks twice',
    key: 'application',
    target: `${ASKED}?id=eu-1&ID=us-1`,
    expected: denied('ambiguous_request'),
  },
  {
    name: 'a list that is asked for by ids, and nothing is visible',
    key: 'nothing-inside',
    target: ASKED,
    expected: denied('outside_namespace'),
  },
  {
    name: 'a list that is longer than a query',
    key: 'large',
    target: ASKED,
    expected: denied('narrowing_unavailable'),
  },
  {
    name: 'a list that is cut in the response',
    key: 'application',
    target: CUT,
    expected: allowed('application', {
      visible: 'eu-1,us-1',
      body: '{"items":[{"id":"eu-1"},{"id":"us-1"}],"more":false}',
      upstream: { 'accept-encoding': 'identity' },
      caller: { 'cache-control': 'private' },
    }),
  },
  {
    name: 'HEAD of a list that is cut in the response',
    method: 'HEAD',
    key: 'application',
    target: CUT,
    expected: allowed('application', {
      visible: 'eu-1,us-1',
      upstream: { 'accept-encoding': 'identity' },
      caller: { 'cache-control': 'private' },
    }),
  },
]
