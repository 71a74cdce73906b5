/** Rules between an object as it was and as it shall be: what an update may not do. */
import { echo } from './echo.ts'
import { type Finding, invalid } from './problem.ts'

export type Change<Spec> = {
  /** What holds, as a sentence. */
  readonly name: string
  readonly check: (before: Spec, after: Spec, now: number) => Finding | undefined
}

/** The field keeps the value that it had at creation, or stays away if it was not there. */
export const immutable = <Spec>(field: keyof Spec & string): Change<Spec> => ({
  name: `${field} is immutable`,
  check: (before, after) =>
    before[field] === after[field]
      ? undefined
      : {
          at: [field],
          message: invalid(
            after[field] ?? null,
            `${field} is immutable, and was ${echo(before[field])}: make another object`,
          ),
        },
})
