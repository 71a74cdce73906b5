/** PURE: names in arguments, judged before anything is sent: what is no name leads elsewhere, and a key would be kept in logs. */
import { SUBDOMAIN } from '../resources/common.ts'
import { KEY } from '../resources/pasted-key.ts'
import { isNamespaceName } from './port-flags.ts'
import { wrongly } from './refused.ts'

const LONGEST = 253

/** As the API server has it. A longer text is never tried. */
export const isObjectName = (text: string): boolean => text.length <= LONGEST && SUBDOMAIN.test(text)

export const NAME_SAYS = 'lower-case letters, digits, - and . only, beginning and ending with a letter or digit'

/** More than a key ID: somebody pasted what must not be repeated. */
const SECRET_TOO = /kw_[a-z]+_[0-9A-Za-z]+_/

/** Whatever holds a whole key is not looked at, and not repeated. */
export function refuseSecrets(texts: readonly string[]): void {
  if (texts.some((text) => SECRET_TOO.test(text) || KEY.test(text)))
    throw wrongly(
      'a whole key stands in an argument, where others can read it: name the key by its name or its ID (kw_<env>_<id>), never by the key itself, and replace this one',
    )
}

/** All of them, before anything is done for one. */
export function checkNames(names: readonly string[]): void {
  refuseSecrets(names)
  const problems = names.flatMap((name) => problemOf('NAME', name) ?? [])
  if (problems.length > 0) throw wrongly(problems.join('\n'))
}

/** @param flag such as `--out-secret`, for a message */
export function checkFlagName(flag: string, name: string | undefined): void {
  if (name === undefined) return
  refuseSecrets([name])
  const problem = problemOf(flag, name)
  if (problem !== undefined) throw wrongly(problem)
}

function problemOf(what: string, name: string): string | undefined {
  if (isObjectName(name)) return undefined
  if (name === '') return `${what}: is empty`
  return `${what}: ${JSON.stringify(name.slice(0, LONGEST))} is no name: ${right(name)}`
}

function right(name: string): string {
  const [first = '', last = '', ...more] = name.split('/')
  if (more.length > 0 || !isObjectName(last)) return `${NAME_SAYS}, at most ${LONGEST} of them`
  // as -o name writes them
  if (/^apikeys?(\.keyward\.dev)?$/.test(first)) return `say ${last}`
  return isNamespaceName(first)
    ? `the Kubernetes namespace goes into a flag of its own, -n ${first}, and the name is ${last}`
    : `${NAME_SAYS}, at most ${LONGEST} of them`
}
