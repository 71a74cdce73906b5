/** The completion scripts in the shells that they are for: bash, and zsh and fish where those are installed. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completionScript } from '../../src/cli/completion-scripts.ts'
import { runKeyward } from '../support/keyward.ts'
import { temporaryFolder } from '../support/process.ts'
import { apiUrlOf } from '../support/rest.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

let standalone: Standalone
/** In it `keyward`, and the script. */
let bin: string
beforeAll(async () => {
  standalone = await startStandalone({ manifests: { 'a.yaml': THINGS, 'k.yaml': thingsKey('main') }, newKeys: false })
  bin = join(temporaryFolder(), 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'keyward'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`, { mode: 0o755 })
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { code, out } = await runKeyward(['completion', shell], standalone.home)
    expect([code, out]).toEqual([0, completionScript(shell)])
    writeFileSync(join(bin, shell), out)
  }
})
afterAll(() => standalone.stop())

const server = () => `--server ${apiUrlOf(standalone)} --token-file ${join(standalone.data, 'token')}`

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** As bash takes a line apart for completion: at blanks, and around its word breaks, of which several make one word. */
const bashWords = (line: string): readonly string[] =>
  line.split(/ +/).flatMap((word) => (word === '' ? [''] : (word.match(/[=:@]+|[^=:@]+/g) ?? [])))

type Completed = { readonly replies: readonly string[]; readonly errors: string }

/** What a Tab at the end of the line would offer; or at this point in it. */
function tabbed(line: string, point = line.length): Completed {
  const words = bashWords(line.slice(0, point))
  const script = `
source ${quoted(join(bin, 'bash'))}
complete -p keyward >/dev/null || exit 3
compopt() { echo "compopt $*"; }
COMP_LINE=${quoted(line)} COMP_POINT=${point} COMP_CWORD=${words.length - 1}
COMP_WORDS=(${words.map(quoted).join(' ')})
_keyward
printf '%s\\n' "\${COMPREPLY[@]}"
`
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: standalone.home }
  const { stdout, stderr } = spawnSync('bash', ['--norc', '--noprofile', '-c', script], { env, encoding: 'utf8' })
  return { replies: stdout.trimEnd().split('\n'), errors: stderr }
}

describe('in bash', () => {
  const creating = () => `keyward create shop ${server()} --access-namespace acme --permissions`

  test.each<[string, () => string, readonly string[]]>([
    ['a command', () => 'keyward re', ['regenerate', 'resume', 'revoke']],
    ['the name of a key', () => `keyward get ${server()} -n team ma`, ['main']],
    ['a permission', () => `${creating()} thi`, ['compopt -o nospace', 'thing:read', 'thing:write']],
    // only what stands behind the colon is replaced
    ['a permission behind its colon', () => `${creating()} thing:`, ['compopt -o nospace', 'read', 'write']],
    ['the rest of a permission', () => `${creating()} thing:w`, ['compopt -o nospace', 'write']],
    ['the second of two permissions', () => `${creating()} thing:read,thing:w`, ['compopt -o nospace', 'write']],
    ['a permission behind =', () => `${creating()}=thing:w`, ['compopt -o nospace', 'write']],
    ['a value behind =', () => 'keyward create shop --environment=s', ['staging']],
    ['a value, all of it', () => 'keyward create shop --environment=', ['production', 'staging', 'development']],
    ['a flag behind a value with word breaks', () => 'keyward list --as ana@example.com --all', ['--all-namespaces']],
    ['a file', () => 'keyward create shop --out k', ['compopt -o default']],
  ])('%s', (_what, line, replies) => {
    expect(tabbed(line())).toEqual({ replies, errors: '' })
  })

  test('what stands behind the cursor is not looked at', () => {
    const line = 'keyward sus --wait'
    expect(tabbed(line, 'keyward sus'.length).replies).toEqual(['suspend'])
  })

  test('nothing that is typed is run', () => {
    const { replies, errors } = tabbed('keyward get $(echo ran >&2) `echo ran >&2` x')
    expect([replies, errors]).toEqual([[''], ''])
  })
})

function withoutExpansions(script: string): string {
  const less = script.replaceAll(/\$\{[^{}]*\}/g, '$x')
  return less === script ? script : withoutExpansions(less)
}

/** What opens a block of a script, and what ends it; words in quotes and comments left out. */
function unclosed(script: string, pairs: Readonly<Record<string, string>>): readonly string[] {
  const bare = withoutExpansions(script)
    .replaceAll(/^#.*$/gm, '')
    .replaceAll(/'[^']*'|"[^"]*"/g, "''")
  const open: string[] = []
  for (const [word] of bare.matchAll(/(?<![\w$-])(?:if|fi|do|done|case|esac|function|end|[{}])(?![\w-])/g)) {
    if (pairs[word] !== undefined) open.push(pairs[word])
    else if (Object.values(pairs).includes(word) && open.pop() !== word) return [`${word} without its beginning`]
  }
  return open
}

const isThere = (shell: string): boolean => spawnSync(shell, ['--version']).error === undefined

test.each([
  ['bash', ['-n'], { if: 'fi', do: 'done', case: 'esac', '{': '}' }],
  ['zsh', ['-n'], { if: 'fi', do: 'done', case: 'esac', '{': '}' }],
  ['fish', ['--no-execute'], { if: 'end', function: 'end' }],
] as const)('%s can read its script, and is asked itself where it is installed', (shell, only, pairs) => {
  expect(unclosed(completionScript(shell), pairs)).toEqual([])
  if (!isThere(shell)) return
  const { status, stderr } = spawnSync(shell, [...only, join(bin, shell)], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
})
