/** PURE: what an object that is in force lacks beside it, or does not do as it seems to. */
import type { ApiKey } from '../resources/api-key.ts'
import type { Manifest } from '../resources/manifest.ts'
import { type FieldProblem, forbidden, invalid, problemAt } from '../resources/problem.ts'
import type { ProtectedApi } from '../resources/protected-api.ts'
import { widerAnswers } from '../resources/wider-route.ts'

/** Names of TokenIssuers that are not there. */
export function missingIssuers({ spec }: ProtectedApi, all: Iterable<Manifest>): readonly FieldProblem[] {
  if (spec.tokens.length === 0) return []
  const issuers = new Set<string>()
  for (const { kind, name } of all) if (kind === 'TokenIssuer') issuers.add(name)
  return spec.tokens.flatMap(({ issuer }, i) => {
    const right = 'there is no such TokenIssuer, and until there is one none of its access tokens is accepted'
    return issuers.has(issuer) ? [] : [problemAt(['spec', 'tokens', i, 'issuer'], invalid(issuer, right))]
  })
}

/** Methods that slip past a route to a wider one that asks for less. */
export const slippingBy = ({ spec: { routes } }: ProtectedApi): readonly FieldProblem[] =>
  widerAnswers(routes).map(({ index, wider, methods }) => {
    const [route, other] = [routes[index], routes[wider]]
    const less = other?.public === true ? 'is public' : 'asks for no permission'
    const right = `routes[${index}] leaves out ${methods.join(', ')}, which routes[${wider}] (${other?.path}) answers, and that one ${less}: name the methods here too, or narrow routes[${wider}]`
    return problemAt(['spec', 'routes', index, 'path'], invalid(route?.path, right))
  })

/** An export of something that was on its way out. */
export const beingDeleted = ({ deleting }: ApiKey): readonly FieldProblem[] => {
  const why = 'the key was being deleted where this comes from, so it does not work; take the field out to keep the key'
  return deleting === true ? [problemAt(['metadata', 'deletionTimestamp'], forbidden(why))] : []
}
