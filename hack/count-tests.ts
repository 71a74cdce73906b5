/** Says what failed, what passed at the second try only, and the plain closing line that CI reads; fails where a project ran no test. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readReport, type TestFile, type TestOutcome } from './test-report.ts'

const [folder = '', ...projects] = process.argv.slice(2)

const failuresOf = (files: readonly TestFile[]): readonly string[] =>
  files.flatMap(({ name, tests }) => tests.filter(isFailed).map((test) => `${name}: ${test.name}: ${test.why}`))

const isFailed = ({ status }: TestOutcome): boolean => status === 'failed'

const count = (tests: readonly TestOutcome[], status: string): number =>
  tests.filter((test) => test.status === status).length

/** Errors outside of any test, and of a run that did not come to its end: nobody told of them then. */
function failedOutside(run: string): boolean {
  const told = join(folder, `${run}.outside`)
  return !existsSync(told) || Number(readFileSync(told, 'utf8')) > 0
}

let [passed, failed, skipped] = [0, 0, 0]
for (const project of projects) {
  const first = readReport(join(folder, `${project}.json`))
  const second = readReport(join(folder, `${project}.again.json`))
  const again = new Map(second.map((file) => [file.name, file]))
  const last = first.map((file) => again.get(file.name) ?? file)
  const tests = last.flatMap((file) => file.tests)
  const unlucky = first.filter(({ name }) => again.get(name)?.failed === false)
  for (const line of failuresOf(unlucky)) console.log(`passed at the second try only: ${line}`)
  for (const line of failuresOf(last)) console.log(`failed: ${line}`)
  const outside = failedOutside(project) || (second.length > 0 && failedOutside(`${project}.again`))
  if (tests.length === 0) console.log(`failed: project ${project} told of no test`)
  else if (outside) console.log(`failed: project ${project}: an error outside of any test, see above`)
  passed += count(tests, 'passed')
  failed += count(tests, 'failed') + (tests.length === 0 || outside ? 1 : 0)
  skipped += count(tests, 'skipped') + count(tests, 'pending') + count(tests, 'todo')
}
if (skipped > 0) console.log(`skipped: ${skipped}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = passed > 0 && failed === 0 ? 0 : 1
