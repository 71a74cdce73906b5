/** What one may list, and what one may not. */
import type { Choice, Cluster, ReadKind, Stored } from './cluster.ts'
import { Refused } from './refused.ts'

/** undefined: one may not. */
export async function listed(cluster: Cluster, kind: ReadKind, choice: Choice): Promise<readonly Stored[] | undefined> {
  try {
    return await cluster.list(kind, choice)
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return undefined
    throw error
  }
}
