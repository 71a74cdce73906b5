/** Access namespaces that a list shows, and what each request asks of them, worked out once and when it is needed. */
import type { AccessNamespace } from './namespace.ts'

export type Visible = {
  /** In the order of their names. */
  readonly namespaces: readonly AccessNamespace[]
  /** undefined: longer than anything that holds them. */
  readonly list: IdList | undefined
  /** Their external ids. */
  readonly ids: ReadonlySet<string>
}

/** External ids joined by commas: as written, and as a query holds them. */
export type IdList = { readonly plain: string; readonly encoded: string }

/** No header and no query takes a longer list than this: as many characters, with nothing encoded. */
export const MAX_LIST_LENGTH = 6 * 1024

export function visibleOf(namespaces: readonly AccessNamespace[]): Visible {
  let joined: { readonly list: IdList | undefined } | undefined
  let ids: ReadonlySet<string> | undefined
  return {
    namespaces,
    get list() {
      joined ??= { list: listOf(namespaces) }
      return joined.list
    },
    get ids() {
      ids ??= new Set(namespaces.map(({ externalId }) => externalId))
      return ids
    },
  }
}

function listOf(namespaces: readonly AccessNamespace[]): IdList | undefined {
  const ids: string[] = []
  let length = namespaces.length - 1
  for (const { externalId } of namespaces) {
    length += externalId.length
    if (length > MAX_LIST_LENGTH) return undefined
    ids.push(externalId)
  }
  return { plain: ids.join(','), encoded: ids.map(encodeURIComponent).join(',') }
}
