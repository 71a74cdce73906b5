/** The command line itself: kubectl's forms of flags, what is completed, and exit codes. */
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { calledAs } from '../../src/cli/command-line.ts'
import { addKeyCommands } from '../../src/cli/commands.ts'
import { complete, completionText } from '../../src/cli/completion.ts'
import type { Opening } from '../../src/cli/port-flags.ts'
import { Refused } from '../../src/cli/refused.ts'
import {
  aStoredKey,
  type FakeCluster,
  fakeCluster,
  fakeTerminal,
  hidden,
  theCredential,
} from '../support/fake-cli-cluster.ts'
import { NOON } from '../support/make.ts'

describe('kubectl lets flags be written in ways that are understood here as well', () => {
  test.each([
    [
      ['list', '-n=team', '-o=name'],
      ['list', '-nteam', '-oname'],
    ],
    [
      ['create', 'x', '--wait=false'],
      ['create', 'x', '--no-wait'],
    ],
    [
      ['revoke', 'x', '--yes=true', '--wait=true'],
      ['revoke', 'x', '--yes', '--wait'],
    ],
    [['list', '--all-namespaces=false'], ['list']],
    [
      ['get', '--', '-n=x'],
      ['get', '--', '-n=x'],
    ],
    [
      ['__complete', 'list', '-n=x'],
      ['__complete', '--', 'list', '-n=x'],
    ],
  ])('%j', (words, args) => {
    expect(calledAs(['node', '/bin/keyward', ...words]).args).toEqual(args)
  })

  test('and which program it was called as says how it speaks of itself', () => {
    expect(calledAs(['node', '/bin/kubectl-keyward', 'list'])).toEqual({ self: 'kubectl keyward', args: ['list'] })
    expect(calledAs(['node', '/src/main.ts', 'list'])).toEqual({ self: 'keyward', args: ['list'] })
    expect(calledAs(['node', '/bin/kubectl_complete-keyward', 'li'])).toEqual({
      self: 'kubectl keyward',
      args: ['__complete', '--', 'li'],
    })
  })
})

/** There is no folder. */
const look = async () => 'there is no such folder'

async function ran(words: readonly string[], cluster: FakeCluster = fakeCluster(), terminal = fakeTerminal()) {
  const opened: Opening[] = []
  let code: number | undefined
  const program = new Command('keyward')
    .exitOverride()
    .configureOutput({ writeOut: terminal.err, writeErr: terminal.err })
  addKeyCommands(program, {
    terminal,
    open: async (opening) => {
      opened.push(opening)
      return cluster
    },
    exit: (value) => {
      code = value
    },
    look,
  })
  await program.parseAsync(calledAs(['node', 'keyward', ...words]).args, { from: 'user' })
  return { code, opened: opened[0], ...terminal.said }
}

describe('flags', () => {
  test('reach the cluster as they were meant', async () => {
    const flags = ['--context', 'prod', '--as', 'ana', '--as-group', 'a', '--as-group', 'b', '--request-timeout=5s']
    expect(await ran(['list', '-n', 'x', ...flags])).toMatchObject({
      code: 0,
      opened: { context: 'prod', as: 'ana', asGroups: ['a', 'b'], requestTimeoutMs: 5000 },
      err: 'there are no keys in the Kubernetes namespace x\n',
    })
  })

  test.each([
    ['500ms', 500],
    ['1ms', 1],
    ['1500us', 2],
    ['1m30s', 90_000],
    ['1.5s', 1500],
    ['30', 30_000],
    ['2h', 7_200_000],
    ['0', 2 ** 31 - 1],
    ['0s', 2 ** 31 - 1],
    ['99999h', 2 ** 31 - 1],
  ])('--request-timeout %s is %i ms: as kubectl reads it, and 0 is no limit', async (time, requestTimeoutMs) => {
    expect(await ran(['list', '--request-timeout', time])).toMatchObject({ code: 0, opened: { requestTimeoutMs } })
  })

  test.each(['', '-1s', 's', '1 s', '1e3', '0x1', '1'.repeat(41)])('%j is no time', async (time) => {
    for (const words of [
      ['list', '--request-timeout'],
      ['suspend', 'main', '--timeout'],
    ])
      expect((await ran([...words, time])).code).toBe(2)
  })

  test('--timeout 0 would wait for nothing', async () => {
    expect((await ran(['suspend', 'main', '--timeout', '0'])).code).toBe(2)
  })

  test('that are wrong are all named, and it is 2', async () => {
    const { code, err, opened } = await ran([
      'list',
      '-n',
      'X',
      '--request-timeout',
      'soon',
      '--as-group',
      'a',
      '--token-file',
      't',
    ])
    expect([code, opened]).toEqual([2, undefined])
    expect(err.split('\n').map((line) => line.trim())).toEqual([
      'keyward list: --token-file: goes with --server only',
      '--namespace: "X" is no name of a Kubernetes namespace',
      '--as-group: goes with --as only',
      '--request-timeout: "soon" is not a time such as 30s, or 0 for no limit',
      '',
    ])
  })

  test('a server is named without a password, which would stand in messages', async () => {
    const { code, err } = await ran(['list', '--server', 'https://ana:hunter2@10.0.0.1:6443'])
    expect([code, err]).toEqual([
      2,
      'keyward list: --server: an http or https URL without user and path is needed, such as https://10.0.0.1:6443\n',
    ])
  })

  test('help speaks of the program as it was called', async () => {
    const terminal = { ...fakeTerminal(), self: 'kubectl keyward' }
    await expect(ran(['list', '--help'], fakeCluster(), terminal)).rejects.toMatchObject({ exitCode: 0 })
    expect(terminal.said.err).toContain('Usage: kubectl keyward list [options]\n')
  })

  test.each([['list'], ['completion', 'bash'], ['__complete', 'li']])(
    '%s ends in silence where nobody reads it any more',
    async (...words) => {
      const unread = fakeTerminal({
        onOut: () => {
          throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
        },
      })
      const cluster = fakeCluster()
      cluster.objects.set('apikeys/team-web/main', aStoredKey('main'))
      expect(await ran(words, cluster, unread)).toMatchObject({ code: 1, err: '' })
    },
  )

  test('a refusal is 1', async () => {
    const cluster = {
      ...fakeCluster(),
      list: () => Promise.reject(new Refused({ status: 401, reason: '', message: '' })),
    }
    expect((await ran(['list'], cluster)).code).toBe(1)
  })
})

const completed = async (...words: string[]) => {
  const cluster = fakeCluster({
    grants: ['customer:read', 'customer:write'],
    rules: [
      {
        apiGroups: ['keyward.dev'],
        resources: ['accessnamespaces/permissions'],
        resourceNames: [],
        verbs: ['customer:read', 'customer:write', 'not:mine'],
      },
    ],
  })
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main', { spec: { displayName: 'tab\there' } }))
  for (const odd of ['', '$(id)', ';id', ' id', '`id`', '|id', "'", '\\'])
    cluster.objects.set(`apikeys/team-web/other${odd}`, aStoredKey(`other${odd}`))
  const program = new Command('keyward')
  addKeyCommands(program, { terminal: fakeTerminal(), open: async () => cluster, exit: () => undefined, look })
  return completionText(await complete(words, { program, open: async () => cluster, nowMs: NOON }))
}

describe('completion', () => {
  test.each([
    [['re'], ['regenerate', 'resume', 'revoke'], 4],
    [['suspend', 'main', ''], ['other'], 4],
    [['get', 'main', ''], [], 4],
    [['list', '-o', ''], ['table', 'wide', 'json', 'yaml', 'name'], 4],
    [['list', '--output=j'], ['--output=json'], 4],
    [['create', 'x', '--env'], ['--environment'], 4],
    [['create', 'x', '--environment', 's'], ['staging'], 4],
    [['create', 'x', '--access-namespace', 'a', '--permissions', ''], ['customer:read', 'customer:write'], 6],
    [['create', 'x', '--permissions', 'customer:read,'], ['customer:read,customer:write'], 6],
    [['create', 'x', '--out', ''], [], 0],
    [['explain', '--key', 'm'], ['main'], 4],
    [['completion', 'b'], ['bash'], 4],
    [[''], ['create', 'list', 'get', 'claim', 'regenerate', 'suspend', 'resume', 'revoke', 'explain', 'completion'], 4],
  ])('%j', async (words, names, directive) => {
    const lines = (await completed(...words)).trimEnd().split('\n')
    expect(lines.slice(0, -1).map((line) => line.split('\t', 1)[0])).toEqual(names)
    expect(lines.at(-1)).toBe(`:${directive}`)
  })

  test('what others wrote breaks no line', async () => {
    expect(await completed('get', 'm')).toBe('main\tPending, production, tab\\u0009here\n:4\n')
  })

  test('a name that a shell would take apart or run is not offered', async () => {
    expect(await completed('get', 'oth')).toBe('other\tPending, production\n:4\n')
  })

  test('where there is no cluster nothing is offered, and nothing is said', async () => {
    const program = new Command('keyward')
    addKeyCommands(program, {
      terminal: fakeTerminal(),
      open: () => Promise.reject(new Error()),
      exit: () => undefined,
      look,
    })
    const found = await complete(['get', ''], { program, open: () => Promise.reject(new Error()), nowMs: NOON })
    expect(found).toEqual({ items: [], directive: 4 })
  })
})

describe('explain', () => {
  const asked = ['explain', '--key', 'main', '--host', 'api.test', '--path', '/']

  test.each([
    [['--header', 'Authorization: Bearer x'], 2, '--header: Authorization may be a credential'],
    [['--header', 'nothing'], 2, '--header: a name, a colon and a value are needed'],
    [['--address', 'here'], 2, '--address: is no IP address'],
    [['--data', 'd'], 2, '--data: goes with --manifests only'],
    [['--manifests', 'm', '--context', 'c'], 2, '--manifests: or --kubeconfig, --context and --server: one of them'],
    [['--manifests', 'm'], 1, 'there is no such folder'],
    [['--request-id', 'r-1'], 2, '--key: or --request-id, which says it: one of them'],
    [['--authz', 'http://127.0.0.1:9090'], 2, '--authz: goes with --request-id only'],
  ])('%j', async (more, code, words) => {
    const told = await ran([...asked, ...more])
    expect([told.code, told.out]).toEqual([code, ''])
    expect(told.err).toMatch(/^keyward explain: /)
    expect(told.err).toContain(words)
  })

  test('says what is needed', async () => {
    expect(await ran(['explain', '--key', 'main'])).toMatchObject({
      code: 2,
      err: 'keyward explain: --host and --path are needed: what was called\n',
    })
  })

  test('never repeats a whole key that somebody put into an argument', async () => {
    const { text } = theCredential
    for (const words of [
      ['--key', text],
      ['--path', `/?key=${text}`],
      ['--header', `x-a: ${text}`],
    ]) {
      const told = await ran([...asked, ...words])
      expect(told.code).toBe(2)
      expect(told.out + told.err).not.toContain(hidden)
      expect(told.err).toContain('a whole key stands in an argument')
    }
  })

  test.each([
    [[], 'team-web'],
    [['-n', 'elsewhere'], 'elsewhere'],
  ])(
    'of a key with its namespace looks for ProtectedApis there unless -n says otherwise: %j',
    async (more, namespace) => {
      const refused = new Refused({ status: 403, reason: 'Forbidden', message: '' })
      const cluster = {
        ...fakeCluster({ refuse: (what) => (what === 'list protectedapis everywhere' ? refused : undefined) }),
        namespace: 'default',
      }
      cluster.objects.set('apikeys/team-web/main', aStoredKey('main'))
      const words = ['explain', '--key', 'team-web/main', '--host', 'api.test', '--path', '/', ...more]
      expect((await ran(words, cluster)).err).toContain(
        `no ProtectedApi of the Kubernetes namespace ${namespace} serves`,
      )
    },
  )

  test.each(['json', 'yaml'])('as %s', async (form) => {
    const cluster = fakeCluster()
    cluster.objects.set('apikeys/team-web/main', aStoredKey('main'))
    const { code, out } = await ran([...asked, '-o', form], cluster)
    const status = form === 'json' ? '"status": 403,' : 'status: 403\n'
    expect([code, out]).toEqual([0, expect.stringContaining(status)])
  })
})

test('a document is one, however many keys are changed; what is refused is told, and the others are done', async () => {
  const cluster = fakeCluster({
    refuse: (what) =>
      what === 'patch apikeys/team-web/b'
        ? new Refused({
            status: 403,
            reason: 'Forbidden',
            message:
              'admission webhook "admit.keyward.dev" denied the request: ana may not\n- apiGroups: [keyward.dev]',
          })
        : undefined,
  })
  for (const name of ['a', 'b', 'c']) cluster.objects.set(`apikeys/team-web/${name}`, aStoredKey(name))
  const { code, out, err } = await ran(['suspend', 'a', 'b', 'c', '-o', 'json'], cluster)
  expect([code, err]).toEqual([1, 'keyward suspend b: ana may not\n- apiGroups: [keyward.dev]\n'])
  const { kind, items } = JSON.parse(out) as { kind: string; items: { metadata: { name: string } }[] }
  expect([kind, items.map(({ metadata }) => metadata.name)]).toEqual(['List', ['a', 'c']])
})

test.each([
  [['create', 'x', '--wait=false', '-o', 'name'], 'apikey.keyward.dev/x\n'],
  [['create', 'x', '--dry-run=server', '-o', 'name'], 'apikey.keyward.dev/x\n'],
])('nothing is handed out, so nothing needs a place to go: %j', async (words, out) => {
  const flags = ['--access-namespace', 'a', '--environment', 'production', '--permissions', 'a:b']
  expect(await ran([...words, ...flags])).toMatchObject({ code: 0, out })
})

test('claim tries out whether one may, and leaves nothing', async () => {
  const cluster = fakeCluster()
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main'))
  const { code, out } = await ran(['claim', 'main', '--dry-run=server'], cluster)
  expect([code, out, cluster.writes]).toEqual([
    0,
    expect.stringMatching(/^apikeyclaim.keyward.dev\/main-\S+ created \(server dry run\)\n$/),
    [],
  ])
  expect((await ran(['claim', 'main', '--dry-run=server', '-o', 'name'], cluster)).out).toMatch(
    /^apikeyclaim.keyward.dev\/main-\S+\n$/,
  )
})

test('who may make a key and not claim it is told that it is there', async () => {
  const refuse = (what: string) =>
    what.startsWith('create apikeyclaims')
      ? new Refused({
          status: 403,
          reason: 'Forbidden',
          message: 'admission webhook "admit.keyward.dev" denied the request: not you',
        })
      : undefined
  const flags = ['--access-namespace', 'a', '--environment', 'production', '--permissions', 'a:b']
  const { code, err } = await ran(['create', 'x', ...flags], fakeCluster({ refuse }))
  expect([code, err]).toEqual([
    1,
    `apikey.keyward.dev/x created; waiting for its credential
there is no AccessNamespace a: until there is one, every request with this key is refused
the key x is there, and nobody has version 1 of its credential. Claim it: keyward claim x -n team-web
keyward create: not you
`,
  ])
})
