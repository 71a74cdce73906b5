/** PURE: `userInfo` of an admission request, read as a person. */
import { z } from 'zod'
import type { Person } from '../core/person.ts'

/** `userInfo` of an admission request. */
export const userInfo = z.object({
  username: z.string().default(''),
  uid: z.string().default(''),
  groups: z.array(z.string()).nullish(),
  extra: z.record(z.string(), z.array(z.string())).nullish(),
})

export const personOf = ({ username, uid, groups, extra }: z.output<typeof userInfo>): Person => ({
  username,
  uid,
  groups: [...new Set(groups ?? [])].sort(),
  extra: Object.fromEntries(Object.entries(extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
})
