/** What `keyward authz` can be told besides where its limits are kept, and what holds where it is told nothing. */
import { z } from 'zod'
import { wholeNumber } from '../runtime/config.ts'
import { LISTENING } from '../runtime/listening.ts'

export const AUTHZ = {
  manifests: z.string({ error: 'the folder with the manifests is needed' }).min(1).optional(),
  data: z.string({ error: 'the data folder of the standalone that owns the keys is needed' }).min(1).optional(),
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

/** Options that say which cluster is meant. */
const CLUSTER = ['kubeconfig', 'context', 'namespace'] as const

/** Keys come from a folder with the data beside it, or from a cluster. */
export function withOneSource<Schema extends z.ZodObject>(schema: Schema): Schema {
  const both = CLUSTER.reduce<Schema>(
    (checked, option) =>
      checked.refine((given) => given.manifests === undefined || given[option] === undefined, {
        when: () => true,
        path: [option],
        error: 'is about a cluster, and --manifests about a folder: keys come from one of them',
      }),
    schema,
  )
  return both
    .refine(({ manifests, data }) => manifests === undefined || data !== undefined, {
      when: () => true,
      path: ['data'],
      error: 'the data folder of the standalone that owns the keys is needed beside --manifests',
    })
    .refine(({ manifests, data }) => data === undefined || manifests !== undefined, {
      when: () => true,
      path: ['manifests'],
      error: 'the folder with the manifests is needed beside --data',
    })
}
