/** Names in arguments: what is no name is refused before anything is asked, and a key that was pasted is not repeated. */
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addKeyCommands } from '../../src/cli/commands.ts'
import { aStoredKey, type FakeCluster, fakeCluster, fakeTerminal, theCredential } from '../support/fake-cli-cluster.ts'

/** A cluster with the key main that lists everything it is asked. */
function heedful(): FakeCluster & { readonly asked: string[] } {
  const cluster = fakeCluster()
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main', { spec: { overlap: '1h' } }))
  const asked: string[] = []
  const counted = Object.entries(cluster).map(([name, value]) => [
    name,
    typeof value !== 'function' || name === 'close'
      ? value
      : (...words: readonly unknown[]) => {
          asked.push(name)
          return (value as (...words: readonly unknown[]) => unknown)(...words)
        },
  ])
  return { ...(Object.fromEntries(counted) as FakeCluster), asked }
}

async function ran(words: readonly string[]) {
  const cluster = heedful()
  const terminal = fakeTerminal()
  let code: number | undefined
  const program = new Command('keyward').exitOverride()
  const exit = (value: number): void => {
    code = value
  }
  addKeyCommands(program, { terminal, open: async () => cluster, exit, look: async () => '' })
  await program.parseAsync([...words], { from: 'user' })
  return { code, asked: cluster.asked, ...terminal.said }
}

const COMMANDS = [
  ['get'],
  ['claim'],
  ['regenerate', '--yes'],
  ['suspend'],
  ['suspend', 'main'],
  ['resume'],
  ['revoke', '--yes'],
]
const NEW = ['--access-namespace', 'a', '--environment', 'production', '--permissions', 'a:b']

describe.each(COMMANDS)('%s %s', (...command) => {
  const words = command.filter((word) => word !== undefined)

  test.each([
    ['', 'NAME: is empty\n'],
    ['.', '"." is no name: lower-case letters, digits, - and . only'],
    ['..', '".." is no name'],
    ['main/status', 'the Kubernetes namespace goes into a flag of its own, -n main, and the name is status\n'],
    ['apikey.keyward.dev/main', 'say main\n'],
    ['apikey/main', 'say main\n'],
    ['a/b/c', '"a/b/c" is no name: lower-case letters'],
    ['main%2Fstatus', '"main%2Fstatus" is no name'],
    ['Main', '"Main" is no name'],
    ['a'.repeat(254), 'at most 253 of them'],
  ])('%j', async (name, expected) => {
    const { code, asked, out, err } = await ran([...words, name])
    expect([code, asked, out]).toEqual([2, [], ''])
    expect(err).toContain(expected)
  })

  test('a whole key', async () => {
    const { code, asked, out, err } = await ran([...words, theCredential.text])
    expect([code, asked, out]).toEqual([2, [], ''])
    expect(err).toContain('a whole key stands in an argument')
    expect(err).not.toContain(theCredential.keyId)
  })
})

test.each([
  ['a name', ['create', theCredential.text, ...NEW]],
  ['--secret-name', ['create', 'new', ...NEW, '--secret-name', theCredential.text]],
  ['--out-secret', ['create', 'new', ...NEW, '--out-secret', theCredential.text]],
  ['--out-secret of another command', ['claim', 'main', '--out-secret', theCredential.text]],
])('a whole key as %s goes nowhere', async (_what, words) => {
  const { code, asked, out, err } = await ran(words)
  expect([code, asked, out]).toEqual([2, [], ''])
  expect(err).toContain('a whole key stands in an argument')
})

test.each(['', 'a/b', 'Main'])('--out-secret %j is no name', async (name) => {
  const { code, asked, err } = await ran(['create', 'new', ...NEW, '--out-secret', name])
  expect([code, asked]).toEqual([2, []])
  expect(err).toMatch(/^keyward create: --out-secret: /)
})
