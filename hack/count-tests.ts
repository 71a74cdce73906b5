/** Reads vitest's JSON report and prints the plain closing line that CI reads; fails where no test ran. */
import { readFileSync } from 'node:fs'

type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly success: boolean
}

const [file = ''] = process.argv.slice(2)
const report = JSON.parse(readFileSync(file, 'utf8') || '{}') as Partial<Report>
const { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests: skipped = 0, success = false } = report
// a file that could not even be loaded fails the run without failing a test
const lost = !success && failed === 0 ? 1 : 0
console.log(`${passed} passed, ${failed + lost} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = passed > 0 && failed + lost === 0 ? 0 : 1
