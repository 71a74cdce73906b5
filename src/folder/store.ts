/** What must survive a kill: accepted manifests, digests, tombstones, statuses. Writes of one moment are one transaction. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { type KeyId, parseKeyId } from '../core/credential.ts'
import type { Parsed } from '../core/parsed.ts'
import { Trouble } from '../core/trouble.ts'
import { encodeKeySecret, type KeySecret, parseKeySecret } from '../resources/key-secret.ts'
import type { Accepted, AcceptedForms } from './accepted.ts'
import { makeBatch } from './batch.ts'
import type { Claim, KeptClaims } from './claims.ts'
import { openDatabase, openForReading } from './database.ts'
import { type KeptSecrets, keepSecrets, type StoredSecret } from './kept-secrets.ts'

export type Statuses = {
  /** As JSON; undefined: none was written. */
  readonly get: (uid: string) => unknown
  /** Durable when it resolves. */
  readonly put: (uid: string, status: unknown) => Promise<void>
}

export type Store = {
  readonly forms: AcceptedForms & { readonly has: (uid: string) => boolean }
  readonly secrets: KeptSecrets
  readonly statuses: Statuses
  readonly claims: KeptClaims
  /** Ends when everything that was begun is on the disk. */
  readonly close: () => Promise<void>
}

type Write = { readonly statement: StatementSync; readonly values: readonly SQLInputValue[] }

/** About ten milliseconds of the event loop. */
const WRITES_AT_ONCE = 512

/** Opens what is in a data folder, or makes it. A problem is a sentence for whoever starts the process. */
export function openStore(dir: string): Parsed<Store> {
  const database = openDatabase(dir)
  if (!database.ok) return database
  const { sql, close } = database.value
  try {
    return { ok: true, value: storeOn(sql, close) }
  } catch (error) {
    close()
    return {
      ok: false,
      problem: `the data folder ${dir} can't be read: ${error instanceof Error ? error.message : ''}`,
    }
  }
}

/** The accepted manifests, looked at beside a running standalone or without one; undefined: nothing is there. */
export function readForms(dir: string): readonly Accepted[] | undefined {
  const sql = openForReading(dir)
  if (sql === undefined) return undefined
  try {
    return formsOn(sql).all()
  } finally {
    sql.close()
  }
}

/** The digests that are kept, looked at in the same way. */
export function readSecrets(dir: string): readonly StoredSecret[] | undefined {
  const sql = openForReading(dir)
  if (sql === undefined) return undefined
  try {
    return [...storedIn(sql)]
  } finally {
    sql.close()
  }
}

function storeOn(sql: DatabaseSync, close: () => void): Store {
  let isOpen = true
  const batch = makeBatch<readonly Write[]>(WRITES_AT_ONCE, (items) => {
    transaction(sql, () => {
      for (const writes of items) for (const { statement, values } of writes) statement.run(...values)
    })
    return []
  })
  const save = (...writes: readonly Write[]): Promise<void> =>
    isOpen ? batch.add(writes) : Promise.reject(new Trouble('store_closed', 'stop'))
  return {
    forms: formsOn(sql),
    secrets: secretsOn(sql, save),
    statuses: statusesOn(sql, save),
    claims: claimsOn(sql, save),
    close: async () => {
      isOpen = false
      await batch.settled()
      close()
    },
  }
}

/** All of it, or nothing and a Trouble. */
function transaction(sql: DatabaseSync, act: () => void): void {
  try {
    sql.exec('BEGIN IMMEDIATE')
    try {
      act()
      sql.exec('COMMIT')
    } catch (error) {
      if (sql.isTransaction) sql.exec('ROLLBACK')
      throw error
    }
  } catch (error) {
    throw new Trouble('store_unavailable', 'retry', error)
  }
}

function formsOn(sql: DatabaseSync): Store['forms'] {
  const all = sql.prepare('SELECT * FROM forms ORDER BY id')
  const has = sql.prepare('SELECT 1 FROM forms WHERE uid = ?')
  // REPLACE: an object that was removed and made again takes the place of the one before
  const put = () =>
    sql.prepare(
      `INSERT OR REPLACE INTO forms (uid, kind, namespace, name, generation, manifest, file, line, first_seen_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
  const remove = () => sql.prepare('DELETE FROM forms WHERE uid = ?')
  const silence = () => sql.prepare('DELETE FROM statuses WHERE uid = ?')
  return {
    has: (uid) => has.get(uid) !== undefined,
    all: () => all.all().map(formIn),
    apply: (changes) => {
      const [putting, removing, silencing] = [put(), remove(), silence()]
      transaction(sql, () => {
        for (const { kind, accepted } of changes) {
          if (kind === 'remove') {
            removing.run(accepted.uid)
            silencing.run(accepted.uid)
            continue
          }
          const { uid, namespace, name, generation, manifest, file, line, firstSeenMs } = accepted
          putting.run(
            uid,
            accepted.kind,
            namespace,
            name,
            generation,
            JSON.stringify(manifest),
            file,
            line,
            firstSeenMs,
          )
        }
      })
    },
  }
}

type Row = Readonly<Record<string, SQLOutputValue>>

/** One row of forms. */
export const formIn = (row: Row): Accepted => ({
  uid: String(row.uid),
  kind: String(row.kind),
  namespace: String(row.namespace),
  name: String(row.name),
  generation: Number(row.generation),
  manifest: JSON.parse(String(row.manifest)) as unknown,
  file: String(row.file),
  line: Number(row.line),
  firstSeenMs: Number(row.first_seen_ms),
})

type Save = (...writes: readonly Write[]) => Promise<void>

function secretsOn(sql: DatabaseSync, save: Save): KeptSecrets {
  const put = sql.prepare(
    `INSERT INTO secrets (uid, key_id, name, secret) VALUES (?, ?, ?, ?)
     ON CONFLICT (uid) DO UPDATE SET key_id = excluded.key_id, name = excluded.name, secret = excluded.secret`,
  )
  const bury = sql.prepare('INSERT OR IGNORE INTO tombstones (key_id, uid) VALUES (?, ?)')
  const eraseSecret = sql.prepare('DELETE FROM secrets WHERE uid = ?')
  const eraseStatus = sql.prepare('DELETE FROM statuses WHERE uid = ?')
  const retired = sql.prepare('SELECT key_id FROM tombstones').all()
  return keepSecrets({
    stored: storedIn(sql),
    retired: retired.flatMap(({ key_id }) => keyIdOf(key_id) ?? []),
    save: (secret) =>
      save({ statement: put, values: [secret.uid, secret.keyId, secret.name, encodeKeySecret(secret)] }),
    saveTombstone: (keyId, uid) => save({ statement: bury, values: [keyId, uid] }),
    erase: (uid) => save({ statement: eraseSecret, values: [uid] }, { statement: eraseStatus, values: [uid] }),
  })
}

function keyIdOf(text: unknown): KeyId | undefined {
  const parsed = parseKeyId(String(text))
  return parsed.ok ? parsed.value : undefined
}

function* storedIn(sql: DatabaseSync): Iterable<StoredSecret> {
  for (const row of sql.prepare('SELECT uid, key_id, name, secret FROM secrets ORDER BY id').iterate()) {
    const stored = secretIn(row)
    if (stored !== undefined) yield stored
  }
}

/** One row of secrets; undefined: a row without a key ID opens nothing and names nothing. */
export function secretIn(row: Row): StoredSecret | undefined {
  const keyId = keyIdOf(row.key_id)
  if (keyId === undefined) return undefined
  const stored = { uid: String(row.uid), keyId, name: String(row.name) }
  return { ...stored, secret: belonging(stored, parseKeySecret(String(row.secret))) }
}

type Labels = { readonly uid: string; readonly keyId: KeyId; readonly name: string }

/** What is kept must say itself whose it is: a digest that was copied from another row opens nothing. */
function belonging({ uid, keyId, name }: Labels, read: Parsed<KeySecret>): Parsed<KeySecret> {
  if (!read.ok) return read
  const { value } = read
  if (value.uid === uid && value.keyId === keyId && value.name === name) return read
  return { ok: false, problem: 'it belongs to another key' }
}

function statusesOn(sql: DatabaseSync, save: Save): Statuses {
  // what was on its way while its object went
  sql.exec('DELETE FROM statuses WHERE uid NOT IN (SELECT uid FROM forms)')
  const get = sql.prepare('SELECT status FROM statuses WHERE uid = ?')
  const put = sql.prepare(
    'INSERT INTO statuses (uid, status) VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET status = excluded.status',
  )
  return {
    get: (uid) => {
      const row = get.get(uid)
      return row === undefined ? undefined : readJson(String(row.status))
    },
    put: (uid, status) => save({ statement: put, values: [uid, JSON.stringify(status)] }),
  }
}

function claimsOn(sql: DatabaseSync, save: Save): KeptClaims {
  const all = sql.prepare('SELECT claim FROM claims ORDER BY id')
  const put = sql.prepare(
    'INSERT INTO claims (uid, claim) VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET claim = excluded.claim',
  )
  const erase = sql.prepare('DELETE FROM claims WHERE uid = ?')
  return {
    // written by this process or one like it; one that can't be read is nobody's loss for long
    all: () => all.all().flatMap(({ claim }) => (readJson(String(claim)) as Claim | undefined) ?? []),
    put: (claim) => save({ statement: put, values: [claim.uid, JSON.stringify(claim)] }),
    erase: (uid) => save({ statement: erase, values: [uid] }),
  }
}

/** What can't be read counts as not said: a status is only ever written anew. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
