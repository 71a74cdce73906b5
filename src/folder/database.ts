/** The file that standalone keeps its state in: one process at a time, readable by its owner only, whole after any crash. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Parsed } from '../core/parsed.ts'

export type Database = {
  readonly sql: DatabaseSync
  readonly close: () => void
}

export const DATABASE_FILE = 'keyward.db'
const LOCK_FILE = 'keyward.lock'

/** "KwDB": says that the file is ours. */
const APPLICATION_ID = 0x4b774442
/** Raised with every change of the tables; an older Keyward refuses a newer file. */
const SCHEMA_VERSION = 1

/** Nobody else writes; whoever does by hand must not keep requests waiting for long. */
const BUSY_MS = 100

// Rows are found by uid, which never changes; their numbers rise as objects come, so that what is written together
// lies together, and no index has to be touched when a row is written anew.
const SCHEMA = `
  CREATE TABLE forms (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    generation INTEGER NOT NULL, manifest TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL, UNIQUE (kind, namespace, name)
  ) STRICT;
  CREATE TABLE secrets (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, key_id TEXT NOT NULL, name TEXT NOT NULL, secret TEXT NOT NULL
  ) STRICT;
  CREATE TABLE tombstones (key_id TEXT PRIMARY KEY, uid TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE statuses (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, status TEXT NOT NULL) STRICT;
`

/** Came later; a Keyward that does not know of it leaves it alone, and loses nothing but claims that wait. */
const CLAIMS =
  'CREATE TABLE IF NOT EXISTS claims (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, claim TEXT NOT NULL) STRICT'

/** Opens or makes the database in a folder. A problem is a sentence for whoever starts the process. */
export function openDatabase(dir: string): Parsed<Database> {
  let lock: DatabaseSync | undefined
  let sql: DatabaseSync | undefined
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    lock = takeLock(join(dir, LOCK_FILE))
    if (lock === undefined) return refused(`the data folder ${dir} is in use by another keyward standalone`)
    const file = join(dir, DATABASE_FILE)
    ownerOnly(file)
    sql = new DatabaseSync(file, { timeout: BUSY_MS })
    const problem = prepared(sql)
    if (problem === undefined) return opened(sql, lock)
    sql.close()
    lock.close()
    return refused(`${file} ${problem}`)
  } catch (error) {
    if (sql?.isOpen) sql.close()
    if (lock?.isOpen) lock.close()
    return refused(`the data folder ${dir} can't be used: ${error instanceof Error ? error.message : 'unknown'}`)
  }
}

/** For looking only, beside a running standalone or without one; undefined: there is nothing to read. */
export function openForReading(dir: string): DatabaseSync | undefined {
  const file = join(dir, DATABASE_FILE)
  if (!existsSync(file)) return undefined
  const sql = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS })
  try {
    sql.prepare('SELECT count(*) FROM sqlite_schema').get()
    return sql
  } catch (error) {
    sql.close()
    // SQLite wants to make the files of its log, and may not; without a log there is nothing that they could tell
    if (!isReadOnly(error) || hasLog(dir)) throw error
    return new DatabaseSync(`${pathToFileURL(file).href}?immutable=1`, { readOnly: true })
  }
}

/** Whether there is a log beside the database: somebody writes, or did not end in order. */
export const hasLog = (dir: string): boolean => existsSync(join(dir, `${DATABASE_FILE}-wal`))

/** Why a database can't be read: it is none of ours; undefined: it can, unless it has no tables yet. */
export function alienIn(sql: DatabaseSync): string | undefined {
  const application = pragma(sql, 'application_id')
  const version = pragma(sql, 'user_version')
  if (application !== APPLICATION_ID) return 'is not a database of Keyward'
  return version === SCHEMA_VERSION ? undefined : ofAnotherVersion(version)
}

export const isEmpty = (sql: DatabaseSync): boolean =>
  sql.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.tables === 0

const refused = (problem: string): Parsed<Database> => ({ ok: false, problem })

function opened(sql: DatabaseSync, lock: DatabaseSync): Parsed<Database> {
  const close = (): void => {
    sql.close()
    lock.close()
  }
  return { ok: true, value: { sql, close } }
}

/**
 * Node knows no file locks, SQLite does: an exclusive transaction that is never ended. The kernel gives it back when the
 * process is gone, however it went. A file of its own, so that others may still read the database.
 */
function takeLock(file: string): DatabaseSync | undefined {
  ownerOnly(file)
  const lock = new DatabaseSync(file, { timeout: 0 })
  try {
    // nothing is ever written there, so that there is nothing to keep a journal for
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (isBusy(error)) return undefined
    throw error
  }
}

const SQLITE_BUSY = 5
const SQLITE_READONLY = 8
const SQLITE_CANTOPEN = 14

const resultOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined

const isBusy = (error: unknown): boolean => resultOf(error) === SQLITE_BUSY

const isReadOnly = (error: unknown): boolean => [SQLITE_READONLY, SQLITE_CANTOPEN].includes(resultOf(error) ?? 0)

/** SQLite gives its other files the mode of the first. */
function ownerOnly(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

/** Brings a fresh file to our tables; says what is wrong with one that is not ours. */
function prepared(sql: DatabaseSync): string | undefined {
  const isFresh = isEmpty(sql)
  const alien = isFresh ? undefined : alienIn(sql)
  if (alien !== undefined) return alien
  sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF')
  if (isFresh) {
    sql.exec(
      `BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    )
  }
  sql.exec(CLAIMS)
  return undefined
}

const ofAnotherVersion = (version: unknown): string =>
  `was written by another version of Keyward (schema ${version}; this one knows ${SCHEMA_VERSION})`

function pragma(sql: DatabaseSync, name: string): unknown {
  return sql.prepare(`PRAGMA ${name}`).get()?.[name]
}
