/** Several kubeconfig files are one, as kubectl makes it of them: the first to say something counts, and none must be there. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openKube } from '../../src/kube/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyward-kubeconfig-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A file at a path below the folder. */
function written(path: string, text: string): string {
  const whole = join(folder, path)
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(whole, text)
  return whole
}

type Named = { readonly name: string; readonly [field: string]: unknown }

type Said = {
  readonly current?: string
  /** Name and host. */
  readonly clusters?: readonly (readonly [name: string, host: string, more?: object])[]
  readonly users?: readonly (readonly [name: string, user: object])[]
  readonly contexts?: readonly (readonly [name: string, cluster: string, user: string, namespace?: string])[]
}

const config = ({ current, clusters = [], users = [], contexts = [] }: Said): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    ...(current !== undefined && { 'current-context': current }),
    clusters: clusters.map(([name, host, more]): Named => ({ name, cluster: { server: `https://${host}`, ...more } })),
    users: users.map(([name, user]): Named => ({ name, user })),
    contexts: contexts.map(
      ([name, cluster, user, namespace]): Named => ({ name, context: { cluster, user, namespace } }),
    ),
  })

const A = written(
  'a/config.yaml',
  config({
    current: 'dev',
    clusters: [['main', 'a.test', { 'certificate-authority': 'ca.pem' }]],
    users: [['ana', { token: 'token-of-a' }]],
    contexts: [['dev', 'main', 'ana', 'team-a']],
  }),
)
written('a/ca.pem', 'ca of a')
const B = written(
  'b/config.yaml',
  config({
    current: 'prod',
    clusters: [
      ['main', 'b.test', { 'tls-server-name': 'b' }],
      ['other', 'other.test', { 'certificate-authority': 'ca.pem' }],
    ],
    users: [['ana', { token: 'token-of-b' }]],
    contexts: [
      ['dev', 'other', 'ana', 'team-b'],
      ['prod', 'other', 'ana', 'team-b'],
    ],
  }),
)
written('b/ca.pem', 'ca of b')
const USERS_ONLY = written('c/config.yaml', config({ users: [['ana', { token: 'token-of-c' }]] }))
const NOTHING = written('nothing.yaml', '')
const AWAY = join(folder, 'away.yaml')

async function opened(files: readonly string[], more: { readonly context?: string; readonly HOME?: string } = {}) {
  const { context, HOME } = more
  const given = { kubeconfig: undefined, context, serviceAccount: '/nowhere', namespace: undefined }
  const result = await openKube(given, { env: { KUBECONFIG: files.join(delimiter), HOME }, steadyMs: () => 0 })
  if (!result.ok) return result.problems
  const { server, namespace, credentials } = result.kube.access
  const { headers, tls } = await credentials(false)
  return { server, namespace, token: headers.Authorization ?? headers.authorization, ca: tls.ca?.toString() }
}

const OF_A = { server: 'https://a.test', namespace: 'team-a', token: 'Bearer token-of-a', ca: 'ca of a' }

describe('what is said twice is what the first file says', () => {
  test.each([
    ['a before b', [A, B], {}, OF_A],
    ['b before a', [B, A], {}, { server: 'https://other.test', namespace: 'team-b', token: 'Bearer token-of-b' }],
    [
      'a context of the second, with a user of the first, and a path beside the second',
      [A, B],
      { context: 'prod' },
      { server: 'https://other.test', namespace: 'team-b', token: 'Bearer token-of-a', ca: 'ca of b' },
    ],
    ['one that says nothing of it', [USERS_ONLY, A], {}, { ...OF_A, token: 'Bearer token-of-c' }],
    ['one that is not there', [AWAY, A], {}, OF_A],
    ['one that is empty', [NOTHING, A], {}, OF_A],
    ['the same one twice', [A, A, ''], {}, OF_A],
  ])('%s', async (_what, files, more, expected) => {
    expect(await opened(files, more)).toMatchObject(expected)
  })
})

test('a plugin that is named by a path lies beside its file', async () => {
  const answer = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'drawn' } }
  chmodSync(written('d/bin/plugin', `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`), 0o755)
  const exec = { apiVersion: answer.apiVersion, command: './bin/plugin', interactiveMode: 'Never' }
  const file = written('d/config.yaml', config({ users: [['ana', { exec }]] }))
  expect(await opened([file, A])).toMatchObject({ token: 'Bearer drawn' })
})

describe('what is wrong is named', () => {
  test('none is there', async () => {
    expect(await opened([AWAY, join(folder, 'none')])).toEqual([
      `there is no kubeconfig (${AWAY}${delimiter}${folder}/none), and this is no pod: name one with --kubeconfig (KEYWARD_KUBECONFIG) or with KUBECONFIG`,
    ])
    expect(await opened([], { HOME: folder })).toEqual([
      `there is no kubeconfig (${folder}/.kube/config), and this is no pod: name one with --kubeconfig (KEYWARD_KUBECONFIG) or with KUBECONFIG`,
    ])
    expect(await opened([])).toEqual([
      'there is no kubeconfig, and this is no pod: name one with --kubeconfig (KEYWARD_KUBECONFIG) or with KUBECONFIG',
    ])
  })

  test('one of them can not be read: that one, and nothing of it is quoted', async () => {
    const broken = written('broken.yaml', 'users: [token: "s3cret')
    expect(await opened([A, broken])).toEqual([
      `--kubeconfig (KEYWARD_KUBECONFIG): ${broken} can't be read as a kubeconfig`,
    ])
    expect(await opened([A, folder])).toEqual([
      `--kubeconfig (KEYWARD_KUBECONFIG): ${folder} can't be read as a kubeconfig (EISDIR)`,
    ])
  })

  test('they name no cluster', async () => {
    expect(await opened([NOTHING, USERS_ONLY])).toEqual([
      `--kubeconfig (KEYWARD_KUBECONFIG): ${NOTHING}${delimiter}${USERS_ONLY} names no cluster: neither in a pod nor with a kubeconfig that has a current context`,
    ])
  })
})

test('the file of the home folder is taken where no variable names one', async () => {
  written('home/.kube/config', config({ current: 'x', clusters: [['m', 'home.test']], contexts: [['x', 'm', 'u']] }))
  expect(await opened([], { HOME: join(folder, 'home') })).toMatchObject({ server: 'https://home.test' })
})
