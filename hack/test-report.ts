/** vitest's JSON reports, as far as they are read here. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

export type TestFile = {
  /** From the checkout. */
  readonly name: string
  readonly failed: boolean
  readonly tests: readonly TestOutcome[]
}

export type TestOutcome = {
  readonly name: string
  readonly status: string
  /** The first line; empty where it passed. */
  readonly why: string
}

type Report = {
  readonly testResults?: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

/** Nothing where there is no report: vitest writes none when it is killed. */
export function readReport(file: string): readonly TestFile[] {
  const { testResults = [] } = JSON.parse(textOf(file)) as Report
  return testResults.map(({ name, status, message = '', assertionResults }) => {
    const tests = assertionResults.map((test) => ({
      name: test.fullName,
      status: test.status,
      why: firstLine(test.failureMessages?.[0] ?? ''),
    }))
    const failed = status === 'failed'
    // a file that can't be loaded, or whose hooks fail, fails without any test of it
    const lost = failed && !tests.some((test) => test.status === 'failed')
    const whole = lost ? [{ name: '(the file itself)', status: 'failed', why: firstLine(message) }] : []
    return { name: relative(process.cwd(), name), failed, tests: [...tests, ...whole] }
  })
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8') || '{}'
  } catch {
    return '{}'
  }
}

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').slice(0, 300)
