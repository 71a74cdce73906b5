/** A process that is killed at its n-th call of the port: before the call is made, or after it was done. */
import type { Attempt, KeyPort } from '../../src/operator/key-port.ts'

export class Crash extends Error {}

export type Point = { readonly call: number; readonly when: 'before' | 'after' }

export type Crashing = { readonly port: KeyPort; readonly calls: () => number }

export function crashingAt(port: KeyPort, { call, when }: Point): Crashing {
  let calls = 0

  const through = async <T>(act: () => Promise<T>): Promise<T> => {
    const mine = calls++
    if (mine === call && when === 'before') throw new Crash()
    const result = await act()
    if (mine === call && when === 'after') throw new Crash()
    return result
  }

  const attemptThrough = ({ storeDigest, deliver, confirm }: Attempt): Attempt => ({
    storeDigest: (stored) => through(() => storeDigest(stored)),
    deliver: (plaintext) => through(() => deliver(plaintext)),
    confirm: (arrived) => through(() => confirm(arrived)),
  })

  return {
    calls: () => calls,
    port: {
      observe: (ref) => through(() => port.observe(ref)),
      writeSecret: (next, over, grant) => through(() => port.writeSecret(next, over, grant)),
      openAttempt: (opening) => through(() => port.openAttempt(opening)).then(attemptThrough),
      tombstone: (keyId, uid) => through(() => port.tombstone(keyId, uid)),
      remove: (uid, keyId) => through(() => port.remove(uid, keyId)),
      denyClaim: (ref, denied) => through(() => port.denyClaim(ref, denied)),
      report: (ref, uid, status) => through(() => port.report(ref, uid, status)),
    },
  }
}
