/** Prints the files of a run that get a second try: few that failed, of all but the long tests (docs/decisions/0060). */
import { readReport } from './test-report.ts'

/** What fails in more places than these is broken, not unlucky. */
const AT_MOST_FILES = 3

const [project = '', report = ''] = process.argv.slice(2)
const failed = readReport(report).filter((file) => file.failed)
if (project !== 'long' && failed.length <= AT_MOST_FILES) {
  for (const { name } of failed) console.log(name)
}
