/** What another process keeps in a data folder, read and never written: which accepted forms and digests changed since the last reading. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { KeySecret } from '../resources/key-secret.ts'
import type { AcceptedChange } from './accepted.ts'
import { alienIn, DATABASE_FILE, hasLog, isEmpty, openForReading } from './database.ts'
import { viewForms, viewSecrets } from './rows-view.ts'

export type StoreNews = {
  readonly forms: readonly AcceptedChange[]
  /** `namespace/name` of the ApiKeys whose digests came, changed or went. */
  readonly secretsOf: ReadonlySet<string>
}

/** absent: there is no store yet; otherwise a sentence says why there is one that can't be read. */
export type Reading = StoreNews | 'unchanged' | 'absent' | { readonly problem: string }

export type StoreView = {
  /** Cheap where nothing changed: a look at the file and at SQLite's own counter. Never two at once. */
  readonly read: () => Promise<Reading>
  /** What is kept for an ApiKey and belongs to it. */
  readonly secretOf: (uid: string) => KeySecret | undefined
  readonly close: () => void
}

type Open = {
  readonly sql: DatabaseSync
  readonly signature: string
  readonly logged: boolean
  /** Asks for SQLite's counter. */
  readonly version: StatementSync
}

export function openStoreView(dir: string): StoreView {
  const file = join(dir, DATABASE_FILE)
  const forms = viewForms()
  const secrets = viewSecrets()
  let open: Open | undefined
  /** SQLite's counter at the last reading that came to its end; undefined: there was none over this connection. */
  let version: unknown

  const close = () => {
    if (open?.sql.isOpen) open.sql.close()
    open = undefined
    version = undefined
  }

  /** The connection to the file that stands there now: it may have been restored, or rolled up from its log. */
  const connect = (): Open | undefined => {
    const signature = signatureOf(file)
    const logged = hasLog(dir)
    if (open !== undefined && (open.signature !== signature || open.logged !== logged)) close()
    if (signature === undefined) return undefined
    if (open === undefined) {
      const sql = openForReading(dir)
      if (sql === undefined) return undefined
      open = { sql, signature, logged: hasLog(dir), version: sql.prepare('PRAGMA data_version') }
    }
    return open
  }

  const read = async (): Promise<Reading> => {
    const connected = connect()
    if (connected === undefined) return 'absent'
    const { sql } = connected
    // before the rows: what is written while they are read is read once more
    const now = connected.version.get()?.data_version
    if (now === version) return 'unchanged'
    const afresh = version === undefined
    if (afresh && isEmpty(sql)) return 'absent'
    const alien = afresh ? alienIn(sql) : undefined
    if (alien !== undefined) return { problem: `${file} ${alien}` }
    await forms.read(sql, afresh)
    await secrets.read(sql)
    version = now
    return { forms: forms.news(), secretsOf: secrets.news() }
  }

  return {
    read: async () => {
      try {
        return await read()
      } catch (error) {
        close()
        return { problem: `${file} can't be read: ${error instanceof Error ? error.message : 'unknown'}` }
      }
    },
    secretOf: secrets.get,
    close,
  }
}

/** Of the file itself; its log is told of by SQLite. */
function signatureOf(file: string): string | undefined {
  const about = statSync(file, { bigint: true, throwIfNoEntry: false })
  return about && `${about.dev}:${about.ino}:${about.size}:${about.mtimeNs}`
}
