/** Cases of the corpus that are run through other proxies, as they are shipped: test/proxies/ holds the tests. */
import { RAW_CASES, type RawCase } from './cases.ts'

/** About what a shipped configuration must not do. */
export const NGINX_SCENARIOS = ['MISC-nginx-auth-cache', 'MISC-nginx-error-page'] as const

/** Raw cases whose surface names proxies. */
export const BEHIND_PROXIES: readonly RawCase[] = RAW_CASES.filter(({ surface }) => surface.includes('+envoy'))
