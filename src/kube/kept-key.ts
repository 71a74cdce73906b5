/** What authz keeps of a digest Secret and of an ApiKey: as little as decides, since there may be a hundred thousand of them. */
import type { KeyRecord } from '../core/record.ts'
import { type Words, wordsOf } from '../resources/granted-key.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { readDigestSecret } from './digest-secret.ts'
import type { KubeObject } from './objects.ts'
import { type Once, once } from './once.ts'

/** A digest Secret that can be read, with what was granted. */
export type KeptKey = Words & {
  readonly kind: 'kept'
  /** Of the Secret: seconds since 1970. */
  readonly createdAt: number
  readonly secret: KeySecret
}

export type Unreadable = { readonly kind: 'unreadable'; readonly problem: string }

/** An ApiKey by itself. */
export type DeclaredKey = Words & { readonly uid: string; readonly deleting: boolean }

export type KeptForms = {
  readonly keptOf: (object: KubeObject) => KeptKey | Unreadable
  readonly declaredOf: (object: KubeObject) => DeclaredKey
  /** The same record, with what many of them have in common held once. */
  readonly lean: (record: KeyRecord) => KeyRecord
}

/** Readers that hold once what they have read before: of many keys most say the same. */
export function keptForms(): KeptForms {
  const texts = once<string>()
  const lists = once<readonly unknown[]>()
  return {
    keptOf: (object) => {
      const { createdAt, read } = readDigestSecret(object)
      if (!read.ok) return { kind: 'unreadable', problem: read.problem }
      const { secret, granted } = read.value
      if (granted === undefined) return { kind: 'unreadable', problem: 'granted: says of no spec that it was granted' }
      const { spec, delivery } = wordsOf(granted.spec)
      const at = Math.floor(Date.parse(createdAt) / 1000)
      return { kind: 'kept', createdAt: at, secret: leanSecret(secret, texts), spec: texts(spec, spec), delivery }
    },
    declaredOf: ({ metadata, spec: raw }) => {
      const { spec, delivery } = wordsOf(raw)
      return {
        uid: metadata.uid,
        spec: texts(spec, spec),
        delivery,
        deleting: metadata.deletionTimestamp !== undefined,
      }
    },
    lean: (record) => {
      const { asked, customers, limits, allowedCidrs } = record
      const list = <T>(values: readonly T[], key: string): readonly T[] => lists(key, values) as readonly T[]
      const permissions = list(asked, `p ${asked.join()}`)
      return {
        ...record,
        accessNamespace: texts(record.accessNamespace, record.accessNamespace),
        asked: permissions,
        held: permissions,
        customers: customers && list(customers, `c ${customers.join()}`),
        limits: list(limits, `l ${JSON.stringify(limits)}`),
        allowedCidrs: allowedCidrs && list(allowedCidrs, `a ${allowedCidrs.map(({ text }) => text).join()}`),
      }
    },
  }
}

const leanSecret = (secret: KeySecret, texts: Once<string>): KeySecret => {
  const { current } = secret
  if (current?.claimedBy === undefined) return secret
  return { ...secret, current: { ...current, claimedBy: texts(current.claimedBy, current.claimedBy) } }
}
