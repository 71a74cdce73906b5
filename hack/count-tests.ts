/** Reads vitest's JSON reports and prints the plain closing line that CI reads; fails where a report tells of no test. */
import { readFileSync } from 'node:fs'

type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly success: boolean
}

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8') || '{}') as Partial<Report>)

let [passed, failed, skipped] = [0, 0, 0]
for (const report of reports) {
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, success = false } = report
  // a file that could not even be loaded fails the run without failing a test
  const lost = (!success && numFailedTests === 0) || numPassedTests + numFailedTests === 0 ? 1 : 0
  passed += numPassedTests
  failed += numFailedTests + lost
  skipped += numPendingTests
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = passed > 0 && failed === 0 ? 0 : 1
