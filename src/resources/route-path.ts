/** Says in words what is wrong with the path of a route. */

import { celText } from './cel.ts'

type Fault = { readonly found: RegExp; readonly right: string }

/** The first that is found is what to mend first. */
const FAULTS: readonly Fault[] = [
  { found: /^[^/]/, right: 'it must begin with a slash' },
  { found: /%/, right: 'it is compared percent-decoded: write the characters themselves, without %' },
  { found: /;/, right: '";" begins a path parameter, which two servers could read differently' },
  { found: /[?#]/, right: 'a route has neither query nor fragment' },
  { found: /\/\.{1,2}(\/|$)/, right: 'dot segments are never routed' },
  { found: /\/\//, right: 'an empty segment is never routed' },
  { found: /.\/$/, right: 'a trailing slash is another path: leave it out' },
  { found: /\*\*/, right: '"**" stands alone, and only as the last segment' },
  { found: /\*/, right: '"*" is no wildcard: {name} stands for one segment, "**" at the end for the rest' },
  {
    found: /[{}]/,
    right: 'a parameter is a whole segment such as {id}: a lower-case letter, then up to 31 letters and digits',
  },
]

const FORM = "letters, digits and . _ ~ - ! $ & ' ( ) + , = : @ only; two dots do not begin a segment"

/** The same in CEL, for the path that is `self`. */
export const CEL_WRONG_PATH = `${FAULTS.reduceRight(
  (otherwise, { found, right }) =>
    `(self.endsWith('/**') ? self.substring(0, self.size() - 3) + '/rest' : self).matches(${celText(found.source)}) ? ${celText(right)} : ${otherwise}`,
  celText(FORM),
)}`

/** What would be right for a path that the schema refuses. */
export function wrongPath(path: string): string {
  const withoutRest = path.replace(/\/\*\*$/, '/rest')
  const fault = FAULTS.find(({ found }) => found.test(withoutRest))
  return fault?.right ?? FORM
}
