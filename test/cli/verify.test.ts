/** `keyward verify`: every problem of a folder, as text or JSON, and an exit code that a pipeline can use. */
import { describe, expect, test } from 'vitest'
import { runVerify, type VerifyIo } from '../../src/cli/verify.ts'
import { fakeForms } from '../support/fake-forms.ts'
import { NOON } from '../support/make.ts'
import { aManifestFolder, apiText, keyText, namespaceText, open, type TestFolder } from '../support/manifest-folder.ts'

type Wanted = { readonly output?: string; readonly data?: string; readonly readForms?: VerifyIo['readForms'] }

async function verify(folder: Pick<TestFolder, 'dir'>, { output = 'text', data, readForms }: Wanted = {}) {
  const written = { out: '', err: '' }
  const code = await runVerify(
    { dir: folder.dir, data, output },
    {
      out: (text) => {
        written.out += text
      },
      err: (text) => {
        written.err += text
      },
      nowMs: () => NOON,
      readForms: readForms ?? (async () => undefined),
    },
  )
  return { code, ...written }
}

const ACME = namespaceText('acme')

test('a good folder is said to be good', async () => {
  const folder = aManifestFolder({ 'tree.yaml': ACME, 'keys.yaml': [keyText('one'), keyText('two')] })
  expect(await verify(folder)).toEqual({ code: 0, out: 'no problems; 3 objects would be in force\n', err: '' })
})

test('every problem stands on a line with file, line and field, under its object', async () => {
  const folder = aManifestFolder({
    'tree.yaml': ACME,
    'keys.yaml': [keyText('one', { state: 'Off', customers: [] }), keyText('two', { accessNamespace: 'nobody' })],
    'broken.yaml': 'kind: [',
  })
  const { code, out, err } = await verify(folder)
  expect([code, err]).toEqual([1, ''])
  expect(out.split('\n')).toEqual([
    `${folder.dir}/broken.yaml`,
    expect.stringContaining(`  ${folder.dir}/broken.yaml:1: not valid YAML: `),
    '',
    'ApiKey default/one',
    `  ${folder.dir}/keys.yaml:8: spec.state: Unsupported value: "Off": supported values: "Active", "Suspended", "Revoked"`,
    expect.stringContaining(`  ${folder.dir}/keys.yaml:9: spec.customers: `),
    '',
    'ApiKey default/two',
    expect.stringContaining(`  ${folder.dir}/keys.yaml:15: warning: spec.accessNamespace: Invalid value: "nobody": `),
    '',
    '3 errors, 1 warning; 2 objects would be in force',
    '',
  ])
})

test('the same as YAML', async () => {
  const { code, out } = await verify(aManifestFolder({ 'tree.yaml': ACME }), { output: 'yaml' })
  expect([code, out]).toEqual([0, 'ok: true\nobjects: 1\nproblems: []\n'])
})

test('the same as JSON', async () => {
  const folder = aManifestFolder({ 'tree.yaml': ACME, 'keys.yaml': keyText('one', { state: 'Off' }) })
  const { code, out } = await verify(folder, { output: 'json' })
  expect(code).toBe(1)
  expect(JSON.parse(out)).toEqual({
    ok: false,
    objects: 1,
    problems: [
      {
        file: `${folder.dir}/keys.yaml`,
        line: 8,
        field: 'spec.state',
        object: 'ApiKey default/one',
        severity: 'error',
        message: 'Unsupported value: "Off": supported values: "Active", "Suspended", "Revoked"',
      },
    ],
  })
})

test('an object in two files is wrong, and the second place names the first', async () => {
  const folder = aManifestFolder({ 'tree.yaml': ACME, 'a.yaml': keyText('one'), 'b.yaml': keyText('one') })
  expect((await verify(folder)).out).toContain('is already declared in a.yaml:1')
})

test('an expiry that has passed is wrong in a folder that nobody has accepted yet', async () => {
  const folder = aManifestFolder({
    'tree.yaml': ACME,
    'old.yaml': keyText('old', { expiresAt: '2026-11-22T11:59:59Z' }),
  })
  expect((await verify(folder)).out).toContain('old.yaml:8: spec.expiresAt: ')
})

test('a file name can not write on the terminal', async () => {
  const folder = aManifestFolder({ 'red\u001b[31m.yaml': 'kind: [' })
  expect((await verify(folder)).out).not.toContain('\u001b')
})

test('one of a kind is counted as one', async () => {
  const folder = aManifestFolder({ 'tree.yaml': ACME, 'keys.yaml': keyText('one', { accessNamespace: 'nobody' }) })
  expect((await verify(folder)).out).toMatch(/\n\n1 warning; 2 objects would be in force\n$/)
})

test('a folder without any manifest is wrong: most likely it is the wrong one', async () => {
  const folder = aManifestFolder({ 'README.md': 'nothing here', '.keys.yaml': keyText('hidden'), 'empty.yaml': '' })
  expect(await verify(folder)).toEqual({
    code: 1,
    out: `${folder.dir}\n  ${folder.dir}: no manifests found\n\n1 error; 0 objects would be in force\n`,
    err: '',
  })
})

describe('against the data folder of a standalone', () => {
  const FILES = {
    'tree.yaml': ACME,
    'keys.yaml': keyText('one', { regenerate: 2 }),
    'api.yaml': apiText('api', ['a.b']),
  }

  async function accepted() {
    const folder = aManifestFolder(FILES)
    const forms = fakeForms()
    await open(folder, { forms }).rescan()
    return { folder, forms, against: { data: 'data', readForms: async () => forms.all() } }
  }

  test('what is in force there is good', async () => {
    const { folder, against } = await accepted()
    expect(await verify(folder, against)).toEqual({
      code: 0,
      out: 'no problems; 3 objects would be in force\n',
      err: '',
    })
  })

  test('an edit that the running process refuses is named; without the data folder it is not known', async () => {
    const { folder, against } = await accepted()
    folder.write('keys.yaml', keyText('one', { regenerate: 1, environment: 'staging' }))
    expect((await verify(folder)).code).toBe(0)
    expect((await verify(folder, against)).out.split('\n')).toEqual([
      'ApiKey default/one',
      `  ${folder.dir}/keys.yaml:6: spec.environment: Invalid value: "staging": environment is immutable, and was "production": make another object`,
      `  ${folder.dir}/keys.yaml:8: spec.regenerate: Invalid value: 1: it can only be raised, and was 2`,
      '',
      '2 errors; 3 objects would be in force',
      '',
    ])
  })

  test('a host stays with whoever has it', async () => {
    const { folder, against } = await accepted()
    folder.write('a-new-one.yaml', apiText('new', ['a.b']))
    const { code, out } = await verify(folder, against)
    expect(code).toBe(1)
    expect(out).toContain(
      'a-new-one.yaml:5: warning: spec.environments[0].hosts[0]: Invalid value: "a.b": it already belongs to ',
    )
  })

  test('an expiry that has passed meanwhile is no error', async () => {
    const folder = aManifestFolder({
      'tree.yaml': ACME,
      'old.yaml': keyText('old', { expiresAt: '2026-11-22T11:59:59Z' }),
    })
    const forms = fakeForms()
    await open(folder, { forms, nowMs: () => NOON - 60_000 }).rescan()
    expect((await verify(folder, { data: 'data', readForms: async () => forms.all() })).code).toBe(0)
  })

  test('nothing is stored', async () => {
    const { folder, forms, against } = await accepted()
    const before = JSON.stringify(forms.all())
    folder.write('keys.yaml', keyText('two'))
    expect((await verify(folder, against)).code).toBe(0)
    expect(JSON.stringify(forms.all())).toBe(before)
  })
})

describe('called wrongly', () => {
  test('a data folder that holds nothing of ours', async () => {
    const folder = aManifestFolder({ 'tree.yaml': ACME })
    expect(await verify(folder, { data: '/tmp/nothing' })).toEqual({
      code: 2,
      out: '',
      err: 'keyward verify: there is no data of standalone in /tmp/nothing\n',
    })
    const broken = async () => {
      throw new Error('file is not a database')
    }
    expect((await verify(folder, { data: '/tmp/broken', readForms: broken })).err).toBe(
      "keyward verify: the data in /tmp/broken can't be read: file is not a database\n",
    )
  })

  test('a folder that is not there', async () => {
    const { code, out, err } = await verify({ dir: '/nowhere/at/all' })
    expect([code, out, err]).toEqual([2, '', 'keyward verify: /nowhere/at/all: the folder does not exist\n'])
  })

  test('a form of output that there is not', async () => {
    const { code, err } = await verify(aManifestFolder(), { output: 'xml' })
    expect([code, err]).toEqual([2, 'keyward verify: --output is text, json or yaml, not "xml"\n'])
  })
})
