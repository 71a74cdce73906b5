/** PURE: methods that a route leaves out and that a wider route answers for less: it works as written, and surprises. */
import { compileRoutes, METHODS, type Method, methodsOf, parsePath, type RouteSpec } from '../core/route.ts'

export type WiderAnswer = {
  /** Places in `spec.routes`. */
  readonly index: number
  readonly wider: number
  readonly methods: readonly Method[]
}

/** Of routes that do not tie. */
export function widerAnswers(routes: readonly RouteSpec[]): readonly WiderAnswer[] {
  const table = compileRoutes(routes)
  return routes.flatMap((route, index): WiderAnswer[] => {
    const asked = demand(route)
    if (asked === 0) return []
    const segments = anyRequestTo(route.path)
    const answered = methodsOf(route)
    const answers = new Map<number, Method[]>()
    for (const method of METHODS) {
      // OPTIONS is only where somebody named it
      if (method === 'OPTIONS' || answered.has(method)) continue
      const found = table.match(method, segments)?.route
      if (found === undefined || demand(found) >= asked) continue
      answers.set(found.index, [...(answers.get(found.index) ?? []), method])
    }
    return [...answers].map(([wider, methods]) => ({ index, wider, methods }))
  })
}

/** How much a route asks of a caller. */
function demand(route: RouteSpec): number {
  if (route.public === true) return 0
  return route.authenticated === true ? 1 : 2
}

/** A segment that no path can name, so that only what answers every request to the path matches. */
const UNNAMED = '\u0000'

const anyRequestTo = (path: string): readonly string[] =>
  parsePath(path).map((segment) => (segment.kind === 'literal' ? segment.text : UNNAMED))
