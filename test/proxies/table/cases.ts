/** The table: every case there is, each under a name of its own. */
import type { Case } from './case.ts'
import { CREDENTIAL_CASES } from './cases-credentials.ts'
import { HEADER_CASES } from './cases-headers.ts'
import { HOST_CASES } from './cases-hosts.ts'
import { LIMIT_CASES } from './cases-limits.ts'
import { LIST_CASES } from './cases-lists.ts'
import { PATH_CASES } from './cases-paths.ts'
import { RIGHTS_CASES } from './cases-rights.ts'
import { ROUTE_CASES } from './cases-routes.ts'

export { PEOPLE_CASES } from './cases-people.ts'

export const CASES: readonly Case[] = [
  ...CREDENTIAL_CASES,
  ...HOST_CASES,
  ...ROUTE_CASES,
  ...RIGHTS_CASES,
  ...LIST_CASES,
  ...LIMIT_CASES,
  ...HEADER_CASES,
  ...PATH_CASES,
]
