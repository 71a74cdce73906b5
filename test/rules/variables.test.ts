/** The scripts around keyward have no variables that begin as its settings do: every keyward below them would refuse to start. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
/** Where parts for tests are kept; keyward knows it, and looks away. */
const ALLOWED = ['KEYWARD_CACHE']

test('no script sets or reads a variable that keyward would take for a mistyped setting', () => {
  const files = globSync(['hack/**', '.ci/*', 'Makefile', 'vitest.config.ts', 'test/support/**', 'bench/**'], {
    cwd: ROOT,
    withFileTypes: true,
  }).filter((one) => one.isFile())
  const named = files.flatMap(
    (one) => readFileSync(join(one.parentPath, one.name), 'utf8').match(/\bKEYWARD_[A-Z_]+/g) ?? [],
  )
  expect(files.length).toBeGreaterThan(50)
  expect([...new Set(named)]).toEqual(ALLOWED)
})
