/** Answers as roles and bindings alone would have them, for what is expected before the API server is asked. */
import type { Permission } from '../core/permission.ts'
import type { Person } from '../core/person.ts'
import { mayGrant, type Rights } from '../resources/rights.ts'
import type { CapParts } from './cap.ts'

export function expectedBy(rightsOf: (person: Person) => Rights): CapParts['reviews'] {
  const may = (person: Person, permission: Permission, accessNamespace: string | undefined): boolean =>
    mayGrant(rightsOf(person), { permission, accessNamespace })
  return {
    may: (person, question) =>
      Promise.resolve(question.kind === 'grant' && may(person, question.permission, question.accessNamespace)),
    missing: (person, { accessNamespace, permissions }) =>
      Promise.resolve(permissions.filter((permission) => !may(person, permission, accessNamespace))),
  }
}
