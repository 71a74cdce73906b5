/** PURE: what a ProtectedApi that is in force lacks beside it, or does not do as it seems to. */
import { type FieldProblem, invalid, problemAt } from './problem.ts'
import type { ProtectedApiSpec } from './protected-api.ts'
import { widerAnswers } from './wider-route.ts'

/** @param isThere whether there is a TokenIssuer of that name */
export const missingIssuers = (
  issuers: readonly string[],
  isThere: (issuer: string) => boolean,
): readonly FieldProblem[] =>
  issuers.flatMap((issuer, i) => {
    const right = 'there is no such TokenIssuer, and until there is one none of its access tokens is accepted'
    return isThere(issuer) ? [] : [problemAt(['spec', 'tokens', i, 'issuer'], invalid(issuer, right))]
  })

/** Methods that slip past a route to a wider one that asks for less. */
export const slippingBy = ({ routes }: Pick<ProtectedApiSpec, 'routes'>): readonly FieldProblem[] =>
  widerAnswers(routes).map(({ index, wider, methods }) => {
    const [route, other] = [routes[index], routes[wider]]
    const less = other?.public === true ? 'is public' : 'asks for no permission'
    const right = `routes[${index}] leaves out ${methods.join(', ')}, which routes[${wider}] (${other?.path}) answers, and that one ${less}: name the methods here too, or narrow routes[${wider}]`
    return problemAt(['spec', 'routes', index, 'path'], invalid(route?.path, right))
  })
