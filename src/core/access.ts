/** What a known key may do: the rows of the table between its state and its limits, in their published order. */
import type { Reading } from './decide.ts'
import type { Environment } from './environment.ts'
import { type Narrowing, narrow, type Unnarrowed } from './narrow.ts'
import { holds, type Permission } from './permission.ts'
import { type Reached, reached } from './reach.ts'
import type { KeyRecord } from './record.ts'
import { type Match, permissionFor } from './route.ts'
import { addressRefused, type Circumstance, elsewhere, expired, inactive, type Objection } from './standing.ts'

/** A reading whose key is known. How far the key gets is worked out when a row asks for it: an earlier one may refuse. */
export class Facts implements Circumstance {
  readonly record: KeyRecord
  readonly now: number
  readonly permission: Permission | undefined
  readonly #reading: Reading
  #far: Reached | undefined
  #narrowed: Narrowing | Unnarrowed | undefined

  constructor(reading: Reading, record: KeyRecord) {
    this.record = record
    this.now = reading.now
    this.permission = reading.match === undefined ? undefined : permissionFor(reading.match.route, reading.method)
    this.#reading = reading
  }

  get environment(): Environment {
    return this.#reading.served.environment
  }

  get address(): string | undefined {
    return this.#reading.request.address
  }

  get match(): Match | undefined {
    return this.#reading.match
  }

  get unmatched(): 'deny' | 'authenticated' {
    return this.#reading.served.api.unmatched
  }

  get far(): Reached {
    if (this.#far === undefined) {
      const { match, method, index } = this.#reading
      this.#far = reached({ match, method, permission: this.permission, record: this.record, tree: index.tree })
    }
    return this.#far
  }

  /** undefined where the route is no list. */
  get narrowed(): Narrowing | Unnarrowed | undefined {
    if (this.far.kind !== 'list') return undefined
    this.#narrowed ??= narrowing(this.#reading, this.record, this.far)
    return this.#narrowed
  }
}

function narrowing(
  { match, index, target, request }: Reading,
  record: KeyRecord,
  { visible, whole }: Reached & { readonly kind: 'list' },
): Narrowing | Unnarrowed {
  const own = index.tree.get(record.accessNamespace)
  const name = whole && own !== undefined ? `@within/${own.type}/${own.externalId}` : undefined
  return narrow(match?.route.narrow ?? {}, { visible, name }, { target, ability: request.ability })
}

type Check = (facts: Facts) => Objection | (Objection & { readonly permission: Permission }) | undefined

const noRoute: Check = ({ match, unmatched }) =>
  match === undefined && unmatched === 'deny'
    ? { code: 'no_route', why: 'no route has this method and path' }
    : undefined

/** Of a key that is capped: where its people hold nothing any more, it is nobody's. */
const isForsaken = ({ heldWithin, held, asked }: KeyRecord): boolean =>
  heldWithin !== undefined && held.length === 0 && asked.length > 0

const permissionMissing: Check = ({ record, permission, match }) => {
  if (permission === undefined) {
    if (isForsaken(record)) return { code: 'creator_access_lost', why: 'its people hold nothing of what it asks for' }
    return match === undefined || match.route.authenticated === true
      ? undefined
      : { code: 'missing_permission', why: 'the route names no permission for this method' }
  }
  if (holds(record.held, permission)) return undefined
  return holds(record.asked, permission)
    ? { code: 'creator_access_lost', why: 'held by the key, not by its people', permission }
    : { code: 'missing_permission', why: 'not among the permissions of the key', permission }
}

const outsideNamespace: Check = ({ far, match }) => {
  if (far.kind === 'outside') return { code: 'outside_namespace', why: far.why }
  return far.kind === 'list' && far.visible.namespaces.length === 0 && match?.route.narrow?.query !== undefined
    ? { code: 'outside_namespace', why: 'nothing is visible, and a query can not say so' }
    : undefined
}

const outsideCustomer: Check = ({ match, record: { customers } }) => {
  if (customers === undefined) return undefined
  const name = match?.route.customer
  if (name === undefined) {
    return match?.route.customersAtUpstream === true
      ? undefined
      : { code: 'outside_customer', why: 'the route names no customer, the key is limited to some' }
  }
  return customers.includes(match?.parameters[name] ?? '')
    ? undefined
    : { code: 'outside_customer', why: 'not one of the customers of the key' }
}

const notNarrowed: Check = ({ narrowed }) => (narrowed !== undefined && 'code' in narrowed ? narrowed : undefined)

/** The order is part of the published contract: the first objection is the answer. */
export const ORDER: readonly { readonly name: string; readonly check: Check }[] = [
  { name: 'the key is active', check: inactive },
  { name: 'the key has not expired', check: expired },
  { name: 'the key is made for this environment', check: elsewhere },
  { name: "the caller's address is allowed", check: addressRefused },
  { name: 'a route matches', check: noRoute },
  { name: 'the permission is held', check: permissionMissing },
  { name: 'the namespace is within reach', check: outsideNamespace },
  { name: 'the customer is in scope', check: outsideCustomer },
  { name: 'the list can be narrowed', check: notNarrowed },
]
