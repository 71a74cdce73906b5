/** A reporter of vitest that counts the errors outside of any test, which its JSON report leaves out. */
import { writeFileSync } from 'node:fs'
import type { Reporter } from 'vitest/node'

export default class OutsideErrors implements Reporter {
  onTestRunEnd(_modules: unknown, errors: readonly unknown[]): void {
    const file = process.env.OUTSIDE_ERRORS
    if (file !== undefined) writeFileSync(file, String(errors.length))
  }
}
