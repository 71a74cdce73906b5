/** Accepted forms in memory, as a store keeps them: as JSON, and nothing else. */
import type { Accepted, AcceptedChange, AcceptedForms } from '../../src/folder/manifests.ts'

export type FakeForms = AcceptedForms & {
  /** How many transactions there were. */
  readonly transactions: () => number
  /** The next transactions fail, until it is called again with undefined. */
  readonly failWith: (error: Error | undefined) => void
}

export function fakeForms(): FakeForms {
  const stored = new Map<string, string>()
  let transactions = 0
  let failure: Error | undefined
  const keyOf = ({ kind, namespace, name }: Accepted) => `${kind}/${namespace}/${name}`
  return {
    all: () => [...stored.values()].map((text): Accepted => JSON.parse(text)),
    apply: (changes: readonly AcceptedChange[]) => {
      if (failure !== undefined) throw failure
      transactions += 1
      for (const { kind, accepted } of changes) {
        if (kind === 'put') stored.set(keyOf(accepted), JSON.stringify(accepted))
        else stored.delete(keyOf(accepted))
      }
    },
    transactions: () => transactions,
    failWith: (error) => {
      failure = error
    },
  }
}
