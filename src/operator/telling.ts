/** What people hear of a key besides its status: events of hand-overs and of what keeps a key from being what it should be. */
import { type KeyRef, nameOf } from '../core/key-ref.ts'
import type { ApiKeyStatus } from '../resources/key-status.ts'
import type { KeyPort } from './key-port.ts'
import type { Recipient } from './world.ts'

export type Happening = {
  readonly apiKey: KeyRef & { readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  /** CamelCase. */
  readonly reason: string
  readonly message: string
}

export type TellingParts = {
  readonly note: (happening: Happening) => void
  readonly onHandedOver: () => void
  readonly onDenied: (reason: string) => void
}

/** A credential that is not where it should be is a failure too, though the key goes on. */
const LASTING = new Set(['SecretMissing', 'SecretNotOurs'])

/** The same port; what it does is told of once it is done. */
export function telling(port: KeyPort, { note, onHandedOver, onDenied }: TellingParts): KeyPort {
  /** The failure that was told of last, by name: forgotten with the ApiKey. */
  const told = new Map<string, { readonly uid: string; readonly reason: string }>()

  const tellOfFailure = (ref: KeyRef, uid: string, status: ApiKeyStatus): void => {
    const failure = failureIn(status)
    const before = told.get(nameOf(ref))
    if (failure === undefined) {
      told.delete(nameOf(ref))
      return
    }
    const { reason } = failure
    if (before?.uid === uid && before.reason === reason) return
    told.set(nameOf(ref), { uid, reason })
    note({ apiKey: { ...ref, uid }, type: 'Warning', reason: failure.reason, message: failure.message })
  }

  return {
    ...port,
    observe: async (ref) => {
      const world = await port.observe(ref)
      if (world.declared === undefined) told.delete(nameOf(ref))
      return world
    },
    openAttempt: async (opening) => {
      const attempt = await port.openAttempt(opening)
      return {
        ...attempt,
        confirm: async (arrived) => {
          const revision = await attempt.confirm(arrived)
          const { ref, uid, recipient } = opening
          const message = `version ${arrived.current?.version ?? 0} was handed over to ${wordsFor(recipient)}`
          note({ apiKey: { ...ref, uid }, type: 'Normal', reason: 'HandedOver', message })
          onHandedOver()
          return revision
        },
      }
    },
    denyClaim: async (ref, refusal) => {
      await port.denyClaim(ref, refusal)
      onDenied(refusal.reason)
    },
    report: async (ref, uid, status) => {
      await port.report(ref, uid, status)
      tellOfFailure(ref, uid, status)
    },
  }
}

function wordsFor(recipient: Recipient): string {
  if (recipient.kind === 'workloadSecret') return `the Secret ${recipient.secretName}`
  return recipient.kind === 'claim' ? `the claim ${recipient.claim}` : recipient.claimant
}

function failureIn({ phase, conditions }: ApiKeyStatus): ApiKeyStatus['conditions'][number] | undefined {
  const failed = phase === 'Failed' ? conditions.find(({ type }) => type === 'Ready') : undefined
  return failed ?? conditions.find(({ status, reason }) => status === 'False' && LASTING.has(reason))
}
