/** The store on real files: who may open it, what it refuses, and what it makes of damage. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Accepted } from '../../src/folder/accepted.ts'
import { openStore, readForms, type Store } from '../../src/folder/store.ts'
import { aDigest, aKeyId, aSecret, aVersion } from '../operator/make.ts'

let root: string
let dir: string
const open: Store[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keyward-files-'))
  dir = join(root, 'data')
})

afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
  rmSync(root, { recursive: true, force: true })
})

function opened(): Store {
  const store = openStore(dir)
  if (!store.ok) throw new Error(store.problem)
  open.push(store.value)
  return store.value
}

const closed = async (): Promise<void> => {
  for (const store of open.splice(0)) await store.close()
}

const problem = (): string => {
  const store = openStore(dir)
  if (!store.ok) return store.problem
  open.push(store.value)
  return 'opened'
}

const aForm = (name: string, form: Partial<Accepted> = {}): Accepted => ({
  kind: 'ApiKey',
  namespace: 'default',
  name,
  uid: `uid-${name}`,
  generation: 1,
  manifest: { spec: { displayName: `The "key" of ${name}, ünïcode` } },
  file: 'keys.yaml',
  line: 7,
  firstSeenMs: 1_763_812_800_123,
  ...form,
})

describe('files', () => {
  test('are readable by their owner only, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      await opened().secrets.write(aSecret(), undefined)
    } finally {
      process.umask(before)
    }
    const modes = readdirSync(dir).map((name) => [name, (statSync(join(dir, name)).mode & 0o777).toString(8)])
    expect((statSync(dir).mode & 0o777).toString(8)).toBe('700')
    expect(Object.fromEntries(modes)).toEqual({
      'keyward.db': '600',
      'keyward.db-wal': '600',
      'keyward.db-shm': '600',
      'keyward.lock': '600',
    })
  })

  test('of a database that others could read are closed to them', () => {
    mkdirSync(dir)
    writeFileSync(join(dir, 'keyward.db'), '')
    chmodSync(join(dir, 'keyward.db'), 0o644)
    opened()
    expect(statSync(join(dir, 'keyward.db')).mode & 0o777).toBe(0o600)
  })

  test('a folder that was there keeps its mode', () => {
    mkdirSync(dir, { mode: 0o755 })
    opened()
    expect(statSync(dir).mode & 0o777).toBe(0o755)
  })
})

describe('one at a time', () => {
  test('a second standalone is refused in a sentence, and may come once the first has ended', async () => {
    opened()
    expect(problem()).toBe(`the data folder ${dir} is in use by another keyward standalone`)
    await closed()
    expect(problem()).toBe('opened')
  })

  test('a second process is refused as long as the first lives, and not a moment longer', async () => {
    const script = `
      import { openStore } from ${JSON.stringify(new URL('../../src/folder/store.ts', import.meta.url).href)}
      console.log(openStore(${JSON.stringify(dir)}).ok)
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      expect(said.toString()).toBe('true\n')
      expect(problem()).toBe(`the data folder ${dir} is in use by another keyward standalone`)
    } finally {
      child.kill('SIGKILL')
      await exited
    }
    expect(problem()).toBe('opened')
  })

  test('others may look at the manifests meanwhile', () => {
    const store = opened()
    store.forms.apply([{ kind: 'put', accepted: aForm('main') }])
    expect(readForms(dir)).toEqual([aForm('main')])
  })

  test('others may look at the manifests afterwards', async () => {
    opened().forms.apply([{ kind: 'put', accepted: aForm('main') }])
    await closed()
    expect(readForms(dir)).toEqual([aForm('main')])
  })

  test('where nothing is, nothing is made by looking', () => {
    expect([readForms(dir), existsSync(dir)]).toEqual([undefined, false])
  })
})

describe('what can not be used is refused in a sentence', () => {
  test('a file that is no database', () => {
    mkdirSync(dir)
    writeFileSync(
      join(dir, 'keyward.db'),
      'this is a text about something else, long enough to be looked at as a database'.repeat(99),
    )
    expect(problem()).toBe(`the data folder ${dir} can't be used: file is not a database`)
  })

  test('a database of somebody else', () => {
    mkdirSync(dir)
    const other = new DatabaseSync(join(dir, 'keyward.db'))
    other.exec('CREATE TABLE things (name TEXT)')
    other.close()
    expect(problem()).toBe(`${join(dir, 'keyward.db')} is not a database of Keyward`)
  })

  test('a database of a later Keyward', async () => {
    opened()
    await closed()
    const later = new DatabaseSync(join(dir, 'keyward.db'))
    later.exec('PRAGMA user_version = 2')
    later.close()
    expect(problem()).toBe(
      `${join(dir, 'keyward.db')} was written by another version of Keyward (schema 2; this one knows 1)`,
    )
  })

  test('a path that is a file', () => {
    writeFileSync(dir, '')
    expect(problem()).toMatch(/^the data folder .* can't be used: EEXIST/)
  })
})

describe('accepted manifests', () => {
  test('are read back as they were, in the order in which they came', async () => {
    const forms = [aForm('b'), aForm('a', { kind: 'AccessNamespace', namespace: '', uid: 'uid-ns' }), aForm('c')]
    opened().forms.apply(forms.map((accepted) => ({ kind: 'put', accepted })))
    await closed()
    expect(opened().forms.all()).toEqual(forms)
  })

  test('are replaced, removed, and made again under another uid', () => {
    const { forms } = opened()
    forms.apply([
      { kind: 'put', accepted: aForm('a') },
      { kind: 'put', accepted: aForm('b') },
    ])
    const again = aForm('b', { uid: 'uid-b2' })
    forms.apply([
      { kind: 'put', accepted: aForm('a', { generation: 2, manifest: { other: true } }) },
      { kind: 'remove', accepted: aForm('b') },
      { kind: 'put', accepted: again },
    ])
    expect(forms.all()).toEqual([aForm('a', { generation: 2, manifest: { other: true } }), again])
    expect([forms.has('uid-b'), forms.has('uid-b2')]).toEqual([false, true])
  })

  test('are changed together or not at all', () => {
    const { forms } = opened()
    const bad = aForm('b', { generation: 1.5 })
    const apply = () =>
      forms.apply([
        { kind: 'put', accepted: aForm('a') },
        { kind: 'put', accepted: bad },
      ])
    expect(apply).toThrow(expect.objectContaining({ code: 'store_unavailable', fate: 'retry' }))
    expect(forms.all()).toEqual([])
  })
})

describe('statuses', () => {
  test('go with their object, and with the next start if they came too late', async () => {
    const store = opened()
    store.forms.apply(['a', 'b', 'c'].map((name) => ({ kind: 'put', accepted: aForm(name) })))
    for (const name of ['a', 'b', 'c']) await store.statuses.put(`uid-${name}`, { of: name })
    store.forms.apply(['a', 'b'].map((name) => ({ kind: 'remove', accepted: aForm(name) })))
    await store.statuses.put('uid-b', { of: 'b' })
    const before = ['a', 'b', 'c'].map((name) => store.statuses.get(`uid-${name}`))
    await closed()
    const { statuses } = opened()
    const after = ['a', 'b', 'c'].map((name) => statuses.get(`uid-${name}`))
    expect([before, after]).toEqual([
      [undefined, { of: 'b' }, { of: 'c' }],
      [undefined, undefined, { of: 'c' }],
    ])
  })
})

describe('digests', () => {
  const rewrite = (sql: string, ...values: string[]): void => {
    const database = new DatabaseSync(join(dir, 'keyward.db'))
    database.prepare(sql).run(...values)
    database.close()
  }

  test('that somebody else wrote are set aside; all others load', async () => {
    const { secrets } = opened()
    await secrets.write(aSecret({ uid: 'uid-a', name: 'default/a', keyId: aKeyId('a') }), undefined)
    await secrets.write(
      aSecret({ uid: 'uid-b', name: 'default/b', keyId: aKeyId('b'), current: aVersion(1, '2') }),
      undefined,
    )
    await closed()
    rewrite("UPDATE secrets SET secret = '{}' WHERE uid = ?", 'uid-a')
    const { secrets: after } = opened()
    expect([after.get('uid-a'), after.get('uid-b')]).toMatchObject([{ kind: 'unreadable' }, { kind: 'read' }])
  })

  test('that were copied to another key open nothing for it', async () => {
    const { secrets } = opened()
    await secrets.write(aSecret({ uid: 'uid-a', name: 'default/a', keyId: aKeyId('a') }), undefined)
    await secrets.write(
      aSecret({ uid: 'uid-b', name: 'default/b', keyId: aKeyId('b'), current: aVersion(1, '2') }),
      undefined,
    )
    await closed()
    rewrite("UPDATE secrets SET secret = (SELECT secret FROM secrets WHERE uid = 'uid-a') WHERE uid = ?", 'uid-b')
    const { secrets: after } = opened()
    expect(after.get('uid-b')).toEqual({ kind: 'unreadable', problem: 'it belongs to another key' })
    expect(after.holderOf(aDigest('1'))).toBe('uid-a')
  })

  test('that two rows claim stay with the first', async () => {
    const { secrets } = opened()
    await secrets.write(aSecret({ uid: 'uid-a', name: 'default/a', keyId: aKeyId('a') }), undefined)
    await secrets.write(
      aSecret({ uid: 'uid-b', name: 'default/b', keyId: aKeyId('b'), current: aVersion(1, '2') }),
      undefined,
    )
    await closed()
    rewrite('UPDATE secrets SET secret = replace(secret, ?, ?)', '2'.repeat(64), '1'.repeat(64))
    const { secrets: after } = opened()
    expect(after.get('uid-a')?.kind).toBe('read')
    expect(after.get('uid-b')).toEqual({ kind: 'unreadable', problem: 'it is held by another key' })
  })

  test('that can not be written are as they were before', async () => {
    const store = opened()
    const revision = await store.secrets.write(aSecret(), undefined)
    const blocker = new DatabaseSync(join(dir, 'keyward.db'))
    blocker.exec('BEGIN IMMEDIATE')
    const late = store.secrets.write(aSecret({ current: aVersion(2, '2') }), revision)
    await expect(late).rejects.toMatchObject({ code: 'store_unavailable', fate: 'retry' })
    blocker.exec('ROLLBACK')
    blocker.close()
    expect(store.secrets.get('uid-1')).toMatchObject({ secret: { current: { version: 1 } } })
    expect([store.secrets.holderOf(aDigest('1')), store.secrets.holderOf(aDigest('2'))]).toEqual(['uid-1', undefined])
  })

  test('that were on their way when the store was closed are kept; later ones are refused', async () => {
    const store = opened()
    const written = store.secrets.write(aSecret(), undefined)
    await closed()
    await written
    await expect(store.statuses.put('uid-1', {})).rejects.toMatchObject({ code: 'store_closed', fate: 'stop' })
    expect(opened().secrets.get('uid-1')?.kind).toBe('read')
  })
})
