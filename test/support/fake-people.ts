/** People who are never in doubt: one made every key and every claim, and holds all that is asked for. A fake. */
import type { Attested } from '../../src/core/person.ts'
import type { PeoplePort } from '../../src/kube/people.ts'
import { aWholeCap } from './make.ts'

export const MAKER = 'ana@example.com'

export const attested = (username: string): Attested => ({
  person: { username, uid: '', groups: [], extra: {} },
  at: Date.UTC(2026, 10, 22, 12),
})

export const trustedPeople: PeoplePort = {
  creatorOf: () => ({ ok: true, value: attested(MAKER) }),
  claimantOf: () => ({ ok: true, value: attested(MAKER) }),
  capOf: async ({ apiKey }) => ({ cap: aWholeCap(apiKey.spec.permissions), lost: [] }),
  capWith: async ({ apiKey }) => aWholeCap(apiKey.spec.permissions),
  forget: () => {},
}
