/** How far the people behind a key go now: by the API server, and by what roles and bindings alone would have. */
import type { Permission } from '../core/permission.ts'
import { type Attested, type Person, personKey, serviceAccountOf } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import type { Rights } from '../resources/rights.ts'
import { asOf } from './attested-groups.ts'
import { type CapParts, type Capped, capOf } from './cap.ts'
import { expectedBy } from './expected.ts'
import type { Reviews } from './reviews.ts'

/** What is seen of roles, bindings and ServiceAccounts. */
export type SeenRbac = {
  readonly rightsOf: (person: Person) => Rights
  /** undefined: there is none. */
  readonly serviceAccountUid: (namespace: string, name: string) => string | undefined
  /** Whether all of it has been read. */
  readonly synced: () => boolean
}

export type KeyCapParts = {
  readonly reviews: Reviews
  readonly rbac: SeenRbac
  /** Where inside an access namespace some route reaches with which of the permissions. */
  readonly insideOf: (
    accessNamespace: string,
    permissions: readonly Permission[],
  ) => ReadonlyMap<Permission, readonly string[]>
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  readonly maxAttestationAgeMs: number | undefined
}

export type Of = {
  readonly accessNamespace: string
  /** Asked for. */
  readonly permissions: readonly Permission[]
  /** The same one twice counts once. */
  readonly people: readonly Attested[]
}

export type KeyCap = {
  /** As they are asked about now, by `personKey`. */
  readonly peopleOf: (of: Pick<Of, 'people'>) => ReadonlyMap<string, Person>
  readonly insideOf: (of: Pick<Of, 'accessNamespace' | 'permissions'>) => ReturnType<KeyCapParts['insideOf']>
  readonly asked: (of: Of, asking: CapParts['asking']) => Promise<Capped>
  /** What is to be expected of the API server as far as it goes by RBAC. */
  readonly expected: (of: Of) => Promise<Capped>
}

export function makeKeyCap({ reviews, rbac, nowMs, maxAttestationAgeMs, ...parts }: KeyCapParts): KeyCap {
  const peopleOf: KeyCap['peopleOf'] = ({ people }) => {
    const at = { nowMs: nowMs(), maxAgeMs: maxAttestationAgeMs }
    return new Map(people.map((one) => asOf(one, at)).map((person) => [personKey(person), person]))
  }

  const insideOf: KeyCap['insideOf'] = ({ accessNamespace, permissions }) =>
    parts.insideOf(accessNamespace, permissions)

  const capBy = async (of: Of, by: Pick<CapParts, 'reviews' | 'asking'>): Promise<Capped> => {
    const persons = [...peopleOf(of).values()]
    // a ServiceAccount that was not seen yet is not one that is gone
    if (!rbac.synced() && persons.some(serviceAccountOf)) throw new Trouble('service_accounts_unknown', 'retry')
    const { accessNamespace, permissions } = of
    const wanted = { accessNamespace, permissions, inside: insideOf(of) }
    return await capOf(wanted, persons, { ...by, serviceAccountUid: rbac.serviceAccountUid })
  }

  return {
    peopleOf,
    insideOf,
    asked: (of, asking) => capBy(of, { reviews, asking }),
    expected: (of) => {
      const known = new Map<Person, Rights>()
      const rightsOf = (person: Person): Rights => {
        const rights = known.get(person) ?? rbac.rightsOf(person)
        known.set(person, rights)
        return rights
      }
      return capBy(of, { reviews: expectedBy(rightsOf), asking: () => NOT_ASKED })
    },
  }
}

const NOT_ASKED = { lane: 'change', maxAgeMs: 0 } as const
