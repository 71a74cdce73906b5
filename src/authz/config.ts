/** What `keyward authz` can be told besides where its limits are kept, and what holds where it is told nothing. */
import { z } from 'zod'
import { wholeNumber } from '../runtime/config.ts'
import { LISTENING } from '../runtime/listening.ts'

export const AUTHZ = {
  manifests: z.string({ error: 'the folder with the manifests is needed' }).min(1),
  data: z.string({ error: 'the data folder of the standalone that owns the keys is needed' }).min(1),
  ...LISTENING,
  replicas: wholeNumber(1, 10_000).default(1),
  replica: wholeNumber(0, 9_999).optional(),
}

/** Also asks whether there can be such a replica, even where other options are wrong. */
export function withReplica<Schema extends z.ZodObject>(schema: Schema): Schema {
  return schema.refine(({ replica, replicas }) => !(Number(replica) >= Number(replicas)), {
    when: () => true,
    path: ['replica'],
    error: 'must be below --replicas: the first of them is 0',
  })
}
