/** etcd as seen beside the API server: what is stored, what was stored, and its history cut off. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'

export type EtcdView = {
  /** Drops the history before now. */
  readonly compact: () => Promise<void>
  /** Every key and value as stored now: `key NUL value LF`, one after the other. */
  readonly dump: () => Promise<Buffer>
  /** Stores objects behind the API server's back, which learns of them as of any other's writing. */
  readonly put: (stored: readonly Stored[]) => Promise<void>
  /** The bytes of etcd's files: what was stored before and since overwritten or deleted too, as far as nobody compacted it. */
  readonly files: () => Buffer
}

export type Stored = { readonly key: string; readonly value: object }

type Range = {
  readonly header: { readonly revision: string }
  readonly kvs?: readonly { key: string; value?: string }[]
}

/** From the first key to the last, in the words of etcd's API. */
const EVERYTHING = { key: 'AA==', range_end: 'AA==' }
/** Before it answers, its other replicas and the backend have it too. */
const PHYSICAL = true

export function etcdView(url: string, folder: string): EtcdView {
  const call = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await request(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`etcd answered ${answer.statusCode} to ${path}: ${text}`)
    return JSON.parse(text)
  }
  const range = async (more: object): Promise<Range> =>
    (await call('/v3/kv/range', { ...EVERYTHING, ...more })) as Range

  return {
    compact: async () => {
      const { header } = await range({ count_only: true })
      await call('/v3/kv/compaction', { revision: header.revision, physical: PHYSICAL })
    },
    dump: async () => {
      const { kvs = [] } = await range({})
      const parts = kvs.flatMap(({ key, value = '' }) => [decoded(key), NUL, decoded(value), LF])
      return Buffer.concat(parts)
    },
    put: async (stored) => {
      let next = 0
      // each by itself: an API server knows no two objects of one revision, as a transaction would make them
      const work = async () => {
        for (let one = stored[next++]; one !== undefined; one = stored[next++]) {
          await call('/v3/kv/put', { key: encoded(one.key), value: encoded(JSON.stringify(one.value)) })
        }
      }
      await Promise.all(Array.from({ length: PUTS_AT_ONCE }, work))
    },
    files: () => {
      const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      return Buffer.concat(names.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
    },
  }
}

const PUTS_AT_ONCE = 64

const NUL = Buffer.from([0])
const LF = Buffer.from('\n')
const decoded = (text: string): Buffer => Buffer.from(text, 'base64')
const encoded = (text: string): string => Buffer.from(text).toString('base64')
