/** Keys kept in memory, with claims: what outlives a kill is in `disk`, and everything else dies with the process. */
import {
  composeKeyId,
  type Digest,
  digestOf,
  type KeyId,
  parseCredential,
  RANDOM_BYTES,
} from '../../src/core/credential.ts'
import { type KeyRef, nameOf } from '../../src/core/key-ref.ts'
import type { Plaintext } from '../../src/core/plaintext.ts'
import { Trouble } from '../../src/core/trouble.ts'
import type { Denied } from '../../src/operator/claims.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import type { Declared, Recipient, Taken, WaitingClaim } from '../../src/operator/world.ts'
import { encodeKeySecret, type KeySecret, parseKeySecret } from '../../src/resources/key-secret.ts'
import { parseReported } from '../../src/resources/key-status.ts'
import type { Line, PromptHome } from '../contract/key-port.contract.ts'
import { NEW_KEYS } from '../operator/make.ts'

type Row = { readonly text: string; readonly revision: number }
type Claim = { readonly claim: WaitingClaim; readonly revision: number; readonly denied: Denied | undefined }

export type FakeHome = PromptHome & {
  readonly claim: (claim: WaitingClaim) => void
  readonly denials: () => readonly Denied[]
  readonly delivered: () => readonly { readonly to: string; readonly version: number }[]
}

const takenOver = () => new Trouble('taken_over', 'retry')

export function fakeHome(): FakeHome {
  const declared = new Map<string, Declared>()
  const rows = new Map<string, Row>()
  const attempts = new Map<string, number>()
  const statuses = new Map<string, string>()
  const tombstones = new Set<KeyId>()
  const claims = new Map<string, Claim>()
  const lines: Line[] = []
  const delivered: { to: string; version: number }[] = []
  const premature: string[] = []
  let receives: 'everything' | 'nothing' = 'everything'
  let revisions = 0
  let drawn = 0
  const drawnKeyId = (): KeyId => {
    drawn += 1
    return composeKeyId(
      'production',
      new Uint8Array(RANDOM_BYTES).map((_, i) => (drawn * 7 + i * drawn) % 248),
    )
  }

  const read = (row: Row): KeySecret => {
    const parsed = parseKeySecret(row.text)
    if (!parsed.ok) throw new Error(parsed.problem)
    return parsed.value
  }
  const secretOf = (uid: string): KeySecret | undefined => {
    const row = rows.get(uid)
    return row && read(row)
  }
  const digestsOf = ({ current, previous }: KeySecret): readonly (Digest | undefined)[] => [
    current?.digest,
    previous?.digest,
  ]
  const others = (uid: string): readonly KeySecret[] =>
    [...rows.values()].map(read).filter((secret) => secret.uid !== uid)

  const revisionOf = (uid: string): string | undefined => {
    const row = rows.get(uid)
    return row && String(Math.max(row.revision, attempts.get(uid) ?? 0))
  }

  const write = (next: KeySecret): string => {
    for (const secret of others(next.uid)) {
      if (secret.keyId === next.keyId) throw new Trouble('key_id_taken', 'retry')
      const mine = digestsOf(next).filter((digest) => digest !== undefined)
      if (digestsOf(secret).some((digest) => digest !== undefined && mine.includes(digest)))
        throw new Trouble('digest_taken', 'retry')
    }
    revisions += 1
    rows.set(next.uid, { text: encodeKeySecret(next), revision: revisions })
    return String(revisions)
  }

  const takenFrom = (uid: string, { spec: { delivery } }: Declared['apiKey']): Taken => {
    if (delivery.kind !== 'imported') return { keyId: undefined, digest: undefined }
    const held = others(uid).some(({ keyId }) => keyId === delivery.keyId)
    const keyId = tombstones.has(delivery.keyId) ? 'retired' : held ? 'held' : undefined
    const digest = others(uid).some((secret) => digestsOf(secret).includes(delivery.digest)) ? 'held' : undefined
    return { keyId, digest }
  }

  const hand = (ref: KeyRef, uid: string, recipient: Recipient, plaintext: Plaintext): void => {
    const line = { ...ref, ...plaintext.reveal() }
    const parsed = parseCredential(line.key)
    const current = secretOf(uid)?.current
    if (!parsed.ok || current?.digest !== digestOf(parsed.value)) premature.push(line.id)
    lines.push(line)
    const version = current?.version ?? 0
    delivered.push({ to: recipient.kind === 'claim' ? recipient.claim : recipient.kind, version })
    if (recipient.kind !== 'claim') return
    const claim = claims.get(recipient.claim)
    if (claim !== undefined)
      claims.set(recipient.claim, { ...claim, claim: { ...claim.claim, delivered: { version, at: 0 } } })
  }

  const port: KeyPort = {
    observe: async (ref) => {
      const found = declared.get(nameOf(ref))
      const kept = [...rows.values()].map(read).filter(({ name }) => name === nameOf(ref))
      const alive = new Set([...declared.values()].map(({ uid }) => uid))
      const secret = found && secretOf(found.uid)
      const imported = found?.apiKey.spec.delivery.kind === 'imported'
      return {
        declared: found,
        held: secret && {
          kind: 'read',
          secret,
          revision: revisionOf(secret.uid) ?? '',
          tombstoned: tombstones.has(secret.keyId),
        },
        orphans: kept.filter(({ uid }) => !alive.has(uid)).map(({ uid, keyId }) => ({ uid, keyId })),
        claims: [...claims.values()].filter(({ denied }) => denied === undefined).map(({ claim }) => claim),
        automatic:
          found && !imported && receives === 'everything' ? { kind: 'newKeys', claimant: 'standalone' } : undefined,
        arrival: undefined,
        workloadSecret: undefined,
        granting: undefined,
        freshKeyId: found && secret === undefined ? drawnKeyId() : undefined,
        people: { createdBy: 'standalone', cap: undefined, lost: [], unattested: undefined },
        taken: found ? takenFrom(found.uid, found.apiKey) : { keyId: undefined, digest: undefined },
        reported: parseReported(found && JSON.parse(statuses.get(found.uid) ?? 'null')),
      }
    },
    writeSecret: async (next, over) => {
      if (revisionOf(next.uid) !== over) throw takenOver()
      return write(next)
    },
    openAttempt: async ({ ref, uid, over, recipient }) => {
      if (revisionOf(uid) !== over) throw takenOver()
      revisions += 1
      attempts.set(uid, revisions)
      let mine = revisions
      const holds = () => Math.max(rows.get(uid)?.revision ?? 0, attempts.get(uid) ?? 0) === mine
      const fencedWrite = async (next: KeySecret): Promise<string> => {
        if (!holds()) throw takenOver()
        mine = Number(write(next))
        return String(mine)
      }
      return {
        storeDigest: async (stored) => {
          await fencedWrite(stored)
        },
        deliver: async (plaintext) => {
          if (!holds()) throw takenOver()
          hand(ref, uid, recipient, plaintext)
        },
        confirm: fencedWrite,
      }
    },
    tombstone: async (keyId) => {
      tombstones.add(keyId)
    },
    remove: async (uid) => {
      rows.delete(uid)
      statuses.delete(uid)
    },
    denyClaim: async (_ref, denied) => {
      const claim = claims.get(denied.claim)
      if (claim !== undefined) claims.set(denied.claim, { ...claim, denied })
    },
    report: async (_ref, uid, status) => {
      statuses.set(uid, JSON.stringify(status))
    },
  }

  return {
    port: () => port,
    find: (ref) => declared.get(nameOf(ref)),
    secretOf,
    declare: (apiKey, uid) => {
      const generation = (declared.get(nameOf(apiKey))?.generation ?? 0) + 1
      declared.set(nameOf(apiKey), { uid, generation, apiKey })
    },
    withdraw: (ref) => {
      declared.delete(nameOf(ref))
    },
    receive: (what) => {
      receives = what
    },
    recipient: () => NEW_KEYS,
    shows: { automatic: NEW_KEYS },
    lines: () => lines,
    premature: () => premature,
    bytes: () => Buffer.from([...rows.values()].map(({ text }) => text).join('\n') + [...statuses.values()].join('\n')),
    kill: async () => attempts.clear(),
    close: async () => {},
    claim: (claim) => {
      claims.set(claim.name, { claim, revision: 0, denied: undefined })
    },
    denials: () => [...claims.values()].flatMap(({ denied }) => denied ?? []),
    delivered: () => delivered,
  }
}
