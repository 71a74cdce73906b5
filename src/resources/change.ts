/** Rules between an object as it was and as it shall be: what an update may not do. */
import type { OnCluster } from './cel.ts'
import { echo } from './echo.ts'
import type { Finding } from './problem.ts'

export type Change<Spec> = {
  /** What holds, as a sentence. */
  readonly name: string
  readonly check: (before: Spec, after: Spec, now: number) => Finding | undefined
  /** How the API server keeps it: rules on the spec, so that adding and removing a field are seen too. */
  readonly cluster: OnCluster
}

/** The field keeps the value that it had at creation, or stays away if it was not there. */
export const immutable = <Spec>(field: keyof Spec & string): Change<Spec> => ({
  name: `${field} is immutable`,
  check: (before, after) =>
    before[field] === after[field]
      ? undefined
      : {
          at: [field],
          message: `Invalid value: ${shown(after[field])}: ${field} is immutable, and was ${shown(before[field])}: make another object`,
        },
  cluster: [
    {
      rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
      message: `${field} is immutable: make another object`,
      says: `${celShown('self', field)} + ': ${field} is immutable, and was ' + ${celShown('oldSelf', field)} + ': make another object'`,
      field: `.${field}`,
    },
  ],
})

const shown = (value: unknown): string => (value === undefined ? 'none' : echo(value))
const celShown = (of: string, field: string): string => `(has(${of}.${field}) ? '"' + ${of}.${field} + '"' : 'none')`
