/** PURE: `userInfo` of an admission request, read as a person; bounded, since whoever reaches the port may have written it. */
import { z } from 'zod'
import type { Person } from '../core/person.ts'
import { MOST_STAMPED_KIB } from './stamp.ts'

/** Of a user name, a uid and the name of a group. */
const MOST_OF_A_NAME = 1024
const MOST_GROUPS = 16_384
/** Of one person; only those that some binding names are kept. */
const MOST_OF_ALL_GROUPS = 256 * 1024
/** More would not fit into a stamp. */
const MOST_OF_EXTRA = MOST_STAMPED_KIB * 1024

const name = z.string().max(MOST_OF_A_NAME)

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, 0)

/** `userInfo` of an admission request. */
export const userInfo = z.object({
  username: name.default(''),
  uid: name.default(''),
  groups: z
    .array(name)
    .max(MOST_GROUPS)
    .refine((groups) => lengthOf(groups) <= MOST_OF_ALL_GROUPS)
    .nullish(),
  extra: z
    .record(z.string(), z.array(z.string()))
    .refine((extra) => lengthOf(Object.entries(extra).flat(2)) <= MOST_OF_EXTRA)
    .nullish(),
})

export const personOf = ({ username, uid, groups, extra }: z.output<typeof userInfo>): Person => ({
  username,
  uid,
  groups: [...new Set(groups ?? [])].sort(),
  extra: Object.fromEntries(Object.entries(extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))),
})
