/** What `keyward authz` can be told besides where its limits are kept, and what holds where it is told nothing. */
import { z } from 'zod'
import { wholeNumber } from '../runtime/config.ts'
import { LISTENING } from '../runtime/listening.ts'

export const AUTHZ = {
  manifests: z.string({ error: 'the folder with the manifests is needed' }).min(1),
  data: z.string({ error: 'the data folder of the standalone that owns the keys is needed' }).min(1),
  ...LISTENING,
  replicas: wholeNumber(1, 10_000).default(1),
}
