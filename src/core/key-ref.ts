/** Where a key lies: Kubernetes namespace and name, as two words or as one text. */

/** Which ApiKey; its uid is found by looking. */
export type KeyRef = { readonly namespace: string; readonly name: string }

/** `namespace/name`. */
export const nameOf = ({ namespace, name }: KeyRef): string => `${namespace}/${name}`

export function refOf(name: string): KeyRef {
  const slash = name.indexOf('/')
  return { namespace: name.slice(0, slash), name: name.slice(slash + 1) }
}
