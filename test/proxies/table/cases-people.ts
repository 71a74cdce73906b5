/** What the people behind a key have lost, and limits that can not be asked; see people.ts. */
import { allowed, type Case, denied } from './case.ts'
import { WHOLE_LIST } from './upstream.ts'

export const PEOPLE_CASES: readonly Case[] = [
  {
    name: 'a permission that the people behind the key no longer hold',
    key: 'lessened',
    method: 'PUT',
    target: '/v1/things/1',
    body: '{}',
    expected: denied('creator_access_lost', { permission: 'thing:write' }),
  },
  { name: 'a permission that they still hold', key: 'lessened', expected: allowed('lessened') },
  {
    name: 'a workspace inside on which they hold the permission',
    key: 'partly',
    target: '/v1/workspaces/eu-1',
    expected: allowed('partly'),
  },
  {
    name: 'a workspace inside on which they do not',
    key: 'partly',
    target: '/v1/workspaces/us-1',
    expected: denied('outside_namespace'),
  },
  {
    name: 'a list shows where they hold the permission',
    key: 'partly',
    target: '/v1/lists/told',
    expected: allowed('partly', { visible: 'eu-1', body: WHOLE_LIST }),
  },
  { name: 'a key that is being deleted', key: 'deleted', expected: denied('key_inactive') },
  { name: 'limits that can not be asked', key: 'closed', expected: denied('unavailable') },
  { name: 'limits that turn out not to be asked', key: 'closed-late', expected: denied('unavailable') },
  { name: 'HEAD when limits can not be asked', method: 'HEAD', key: 'closed', expected: denied('unavailable') },
  {
    name: 'public routes go on when limits can not be asked',
    key: 'closed',
    target: '/public/status',
    expected: allowed('anonymous'),
  },
]
