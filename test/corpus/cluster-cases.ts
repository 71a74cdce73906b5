/** Every case of the corpus that is run on a real API server, in the order in which they are run: the last take things away. */
import { PEOPLE } from './cluster-people.ts'
import { SECRET_CASES } from './cluster-secrets.ts'
import { SHAPES } from './cluster-shapes.ts'
import { WEBHOOK_CASES } from './cluster-webhooks.ts'
import type { ClusterCase } from './cluster-world.ts'

export const CLUSTER_CASES: Readonly<Record<string, ClusterCase>> = {
  ...SHAPES,
  ...PEOPLE,
  ...SECRET_CASES,
  ...WEBHOOK_CASES,
}
