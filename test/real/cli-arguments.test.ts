/** A whole key in any argument of any command: whatever is said about it, it is not said again. */
import { expect, test } from 'vitest'
import { theCredential } from '../support/fake-cli-cluster.ts'
import { runKeyward } from '../support/keyward.ts'
import { temporaryFolder } from '../support/process.ts'

const AWAY = ['--server', 'http://127.0.0.1:1']

test.each([
  [['KEY']],
  [['list', '-n', 'KEY', ...AWAY]],
  [['list', '-o', 'KEY', ...AWAY]],
  [['list', '--request-timeout', 'KEY', ...AWAY]],
  [['list', '--context', 'KEY']],
  [['list', '--kubeconfig', 'KEY']],
  [['list', '--KEY']],
  [['verify', 'KEY']],
  [['verify', '.', '--data', 'KEY']],
  [['completion', 'KEY']],
  [['generate', '--environment', 'KEY']],
  [['standalone', '--manifests', 'KEY']],
  [['authz', '--manifests', 'KEY', '--data', 'KEY']],
  [['authz', '--kubeconfig', 'KEY']],
  [['operator', '--lease-duration', 'KEY']],
  [['standalone', '--config', 'KEY']],
])('%j', async (words) => {
  const { code, err } = await runKeyward(
    words.map((word) => word.replace('KEY', theCredential.text)),
    temporaryFolder(),
  )
  expect(code).toBeGreaterThan(0)
  expect(err).not.toBe('')
  expect(err).not.toContain(theCredential.text.slice(theCredential.keyId.length + 1))
})
