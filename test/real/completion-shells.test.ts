/** The completion scripts in the shells that they are for. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completionScript } from '../../src/cli/completion-scripts.ts'
import { runKeyward } from '../support/keyward.ts'
import { part } from '../support/parts.ts'
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
    ['a Kubernetes namespace', () => `keyward list ${server()} -n te`, ['team']],
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

describe('in zsh', () => {
  /** What its own functions of completion are handed at a Tab behind these words. */
  function handed(words: readonly string[]): Completed {
    // its modules lie beside it, wherever it was unpacked
    const script = `
exe=$(readlink /proc/$$/exe) root=\${\${exe%/bin/*}%/usr}
module_path=($root/usr/lib/*/zsh/$ZSH_VERSION(N) $module_path)
compdef() { :; }
compset() { echo "compset $*"; }
_files() { echo files; }
_describe() { print -rl -- "\${@[4,-1]}" -- "\${found[@]}"; }
source ${quoted(join(bin, 'zsh'))}
words=(${words.map(quoted).join(' ')}) CURRENT=${words.length}
_keyward
`
    const env = { PATH: `${bin}:${process.env.PATH}`, HOME: standalone.home }
    const { stdout, stderr } = spawnSync(part('zsh'), ['-f', '-o', 'extended_glob', '-c', script], {
      env,
      encoding: 'utf8',
    })
    return { replies: stdout.trimEnd().split('\n'), errors: stderr }
  }
  const asking = (...words: readonly string[]) => ['keyward', ...words]
  const creating = () => ['create', 'shop', ...server().split(' '), '--access-namespace', 'acme', '--permissions']

  test.each<[string, () => readonly string[], readonly string[]]>([
    [
      'a command',
      () => asking('sus'),
      ['found', '--', 'suspend:keep keys from working until they are resumed; at once'],
    ],
    // an empty word that gets lost on the way would have the next one added behind each permission
    ['a permission', () => asking(...creating(), 'thing:w'), ['found', '-S', '', '--', 'thing\\:write']],
    ['a file', () => asking('create', 'shop', '--out', 'k'), ['compset -P --[a-z-]##=', 'files']],
    ['nothing that is typed is run', () => asking('get', '$(echo ran >&2)', ''), ['found', '--']],
  ])('%s', (_what, words, replies) => {
    expect(handed(words())).toEqual({ replies, errors: '' })
  })
})

describe('in fish', () => {
  function offered(line: string): Completed {
    const script = `source ${quoted(join(bin, 'fish'))}; complete -C ${quoted(line)}`
    const env = { PATH: `${bin}:${process.env.PATH}`, HOME: standalone.home }
    const { stdout, stderr } = spawnSync(part('fish'), ['--no-config', '-c', script], { env, encoding: 'utf8' })
    return { replies: stdout.trimEnd().split('\n'), errors: stderr }
  }

  test.each<[string, () => string, () => readonly string[]]>([
    ['a command', () => 'keyward sus', () => ['suspend\tkeep keys from working until they are resumed; at once']],
    [
      'a permission',
      () => `keyward create x ${server()} --access-namespace acme --permissions thing:w`,
      () => ['thing:write'],
    ],
    ['a file', () => `keyward create x --out ${join(bin, 'fi')}`, () => [join(bin, 'fish')]],
    ['a file behind =', () => `keyward create x --out=${join(bin, 'fi')}`, () => [`--out=${join(bin, 'fish')}`]],
    ['nothing that is typed is run', () => 'keyward get (echo ran >&2) x', () => ['']],
  ])('%s', (_what, line, replies) => {
    expect(offered(line())).toEqual({ replies: replies(), errors: '' })
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

test.each([
  ['bash', ['-n'], { if: 'fi', do: 'done', case: 'esac', '{': '}' }],
  ['zsh', ['-n'], { if: 'fi', do: 'done', case: 'esac', '{': '}' }],
  ['fish', ['--no-execute'], { if: 'end', function: 'end' }],
] as const)('%s can read its script', (shell, only, pairs) => {
  expect(unclosed(completionScript(shell), pairs)).toEqual([])
  const { status, stderr } = spawnSync(shell === 'bash' ? shell : part(shell), [...only, join(bin, shell)], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
})
