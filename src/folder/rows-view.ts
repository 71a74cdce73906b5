/** The rows of accepted forms and of digests, as they were read last from a database that another process writes. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { setImmediate as pause } from 'node:timers/promises'
import type { KeySecret } from '../resources/key-secret.ts'
import { sameJson } from '../resources/same-json.ts'
import type { Accepted, AcceptedChange } from './accepted.ts'
import { formIn, secretIn } from './store.ts'

type Row = Readonly<Record<string, SQLOutputValue>>

/** Rows are looked at in parts, so that requests are answered meanwhile. */
const ROWS_PER_TURN = 256

/** @param query takes the number of the row before, and how many rows to give */
async function eachRow(sql: DatabaseSync, query: string, visit: (row: Row) => void): Promise<void> {
  const part = sql.prepare(query)
  let last = -1
  for (;;) {
    const rows = part.all(last, ROWS_PER_TURN)
    for (const row of rows) visit(row)
    if (rows.length < ROWS_PER_TURN) return
    last = Number(rows.at(-1)?.id)
    await pause()
  }
}

export type FormsView = {
  /** @param afresh whether it may be another database than before */
  readonly read: (sql: DatabaseSync, afresh: boolean) => Promise<void>
  /** What changed in all that was read since this was asked before. */
  readonly news: () => readonly AcceptedChange[]
}

type KnownForm = { readonly id: number; readonly form: Accepted }

export function viewForms(): FormsView {
  const known = new Map<string, KnownForm>()
  let changes: AcceptedChange[] = []

  const take = (id: number, form: Accepted): void => {
    const before = known.get(form.uid)?.form
    const same = before !== undefined && isSame(before, form)
    known.set(form.uid, { id, form: same ? before : form })
    if (!same) changes.push({ kind: 'put', accepted: form })
  }

  return {
    read: async (sql, afresh) => {
      const there = new Set<string>()
      const whole = sql.prepare('SELECT * FROM forms WHERE id = ?')
      await eachRow(sql, 'SELECT id, uid FROM forms WHERE id > ? ORDER BY id LIMIT ?', ({ id, uid }) => {
        there.add(String(uid))
        // a form that is written anew gets a new number
        const row = !afresh && known.get(String(uid))?.id === id ? undefined : whole.get(Number(id))
        if (row !== undefined) take(Number(id), formIn(row))
      })
      for (const [uid, { form }] of known) {
        if (there.has(uid)) continue
        known.delete(uid)
        changes.push({ kind: 'remove', accepted: form })
      }
    },
    news: () => {
      const news = changes
      changes = []
      return news
    },
  }
}

const isSame = (a: Accepted, b: Accepted): boolean =>
  a.file === b.file && a.line === b.line && a.generation === b.generation && sameJson(a.manifest, b.manifest)

export type SecretsView = {
  readonly read: (sql: DatabaseSync) => Promise<void>
  /** `namespace/name` of the ApiKeys whose digests came, changed or went in all that was read since this was asked before. */
  readonly news: () => ReadonlySet<string>
  /** What is kept for an ApiKey and belongs to it. */
  readonly get: (uid: string) => KeySecret | undefined
}

type KnownSecret = { readonly keyId: string; readonly name: string; readonly text: string }

export function viewSecrets(): SecretsView {
  const known = new Map<string, KnownSecret>()
  let changed = new Set<string>()

  const take = (uid: string, now: KnownSecret): void => {
    const before = known.get(uid)
    if (before?.text === now.text && before.name === now.name && before.keyId === now.keyId) return
    known.set(uid, now)
    changed.add(now.name)
    if (before !== undefined) changed.add(before.name)
  }

  return {
    read: async (sql) => {
      const there = new Set<string>()
      await eachRow(sql, 'SELECT * FROM secrets WHERE id > ? ORDER BY id LIMIT ?', (row) => {
        const uid = String(row.uid)
        there.add(uid)
        take(uid, { keyId: String(row.key_id), name: String(row.name), text: String(row.secret) })
      })
      for (const [uid, { name }] of known) {
        if (there.has(uid)) continue
        known.delete(uid)
        changed.add(name)
      }
    },
    news: () => {
      const news = changed
      changed = new Set()
      return news
    },
    // read again each time: the text takes a fraction of the room
    get: (uid) => {
      const row = known.get(uid)
      if (row === undefined) return undefined
      const stored = secretIn({ uid, key_id: row.keyId, name: row.name, secret: row.text })
      return stored?.secret.ok ? stored.secret.value : undefined
    },
  }
}
