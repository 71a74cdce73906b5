/** PURE: why the API server said no, in its own words where they are for people, and what to do about it. */

import { problemsByFlag } from './new-key.ts'
import { isNamespaceName } from './port-flags.ts'
import { printable, printableLines } from './printable.ts'
import type { Refused } from './refused.ts'
import { quoted } from './shell-word.ts'

export type Doing = {
  readonly namespace: string
  /** Such as `keyward`. */
  readonly self: string
}

/** Lines; what to do stands last, indented. */
export function refusalWords(refused: Refused, doing: Doing): string {
  const { status } = refused
  const remedy = (what: string): string => `\n  ${what}`
  if (status === 401)
    return `the API server does not know you (401)${remedy('log in again, or choose who you are: --kubeconfig and --context, or with --server a --token-file')}`
  if (status === 403) return forbiddenWords(refused, doing)
  if (status === 404) return notFoundWords(refused, doing)
  if (status === 409 && refused.reason === 'AlreadyExists')
    return `${said(refused)}${remedy(`choose another name, or see what is there: ${doing.self} list -n ${doing.namespace}`)}`
  if (status === 409)
    return `${said(refused)}${remedy('somebody else changed it at the same moment: look at it, and try again')}`
  if (status === 422 || status === 400) return invalidWords(refused)
  if (status === 429) return `the API server is too busy (429)${remedy('try again in a moment')}`
  if (WEBHOOK_AWAY.test(refused.message))
    return `Keyward's operator could not be asked, and without it nothing is made or widened (${status})${remedy(`is it running? Meanwhile ${doing.self} suspend and revoke go on working`)}`
  return `the API server answered ${status}${refused.message === '' ? '' : `: ${said(refused)}`}`
}

const WEBHOOK_AWAY = /failed calling webhook "[^"]*keyward[^"]*"/

/** `admission webhook "x" denied the request: ` and its kin say who refused; what follows says why. */
const BY_WEBHOOK = /^admission webhook "[^"]{1,300}" denied the request: /
const BY_POLICY = /^.{0,400}?ValidatingAdmissionPolicy '[^']{1,300}' with binding '[^']{1,300}' denied request: /

const said = ({ message }: Refused): string => printableLines(message)

function forbiddenWords(refused: Refused, doing: Doing): string {
  const { self } = doing
  const byWebhook = webhookWords(refused)
  if (byWebhook !== undefined) return byWebhook
  const byPolicy = refused.message.replace(BY_POLICY, '')
  if (byPolicy !== refused.message) return printableLines(byPolicy)
  const denied =
    /^(\S+) is forbidden: User "([^"]{1,300})" cannot (\w+) resource "([a-z/]+)" in API group "([a-z.]*)"/.exec(
      refused.message.replace(/^(\S+) "[^"]*" is/, '$1 is'),
    )
  if (denied === null) return said(refused)
  const [, , who = '', verb = '', resource = '', group = ''] = denied
  const namespace = namespaceIn(/ in the namespace "([^"]{1,63})"/, refused) ?? doing.namespace
  const everywhere = refused.message.includes(' at the cluster scope')
  const where = everywhere ? 'everywhere' : `in the Kubernetes namespace ${namespace}`
  return `${printable(who)} may not ${verb} ${resource} ${where}\n  ${remedyOf({ who, verb, resource, group, namespace, everywhere, self })}`
}

/** As the server names it: what was asked for may lie elsewhere than the command works. It becomes part of a command line. */
function namespaceIn(said: RegExp, { message }: Refused): string | undefined {
  const [, name = ''] = said.exec(message) ?? []
  return isNamespaceName(name) ? name : undefined
}

type Denied = {
  readonly who: string
  readonly verb: string
  readonly resource: string
  readonly group: string
  readonly namespace: string
  /** In all Kubernetes namespaces. */
  readonly everywhere: boolean
  readonly self: string
}

function remedyOf({ who, verb, resource, group, namespace, everywhere, self }: Denied): string {
  const role = ROLES[resource]?.[['get', 'list', 'watch'].includes(verb) ? 'read' : 'write']
  if (group !== 'keyward.dev' || role === undefined)
    return `a role with this rule would allow it: {apiGroups: ["${group}"], resources: [${resource}], verbs: [${verb}]}`
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(who)
  const subject =
    account === null
      ? `--user=${quoted(printable(who))}`
      : `--serviceaccount=${quoted(printable(`${account[1]}:${account[2]}`))}`
  const elsewhere = verb === 'list' ? `; or name a namespace where you may: ${self} list -n …` : ''
  const named = bindingName(role, account?.[2] ?? who)
  const binding = everywhere ? `clusterrolebinding ${named}` : `rolebinding ${named} -n ${namespace}`
  return `an administrator can allow it: kubectl create ${binding} --clusterrole=${role} ${subject}${elsewhere}`
}

/** One of its own for each person: the second one that is bound would find the first one's name taken. */
const bindingName = (role: string, who: string): string =>
  [role, ...(who.toLowerCase().match(/[a-z0-9]+/g) ?? [])].join('-').slice(0, LONGEST_NAME)

const LONGEST_NAME = 63

/** The shipped ClusterRoles, by what they open. */
const ROLES: Readonly<Record<string, { readonly read: string; readonly write: string } | undefined>> = {
  apikeys: { read: 'keyward-view', write: 'keyward-edit' },
  protectedapis: { read: 'keyward-view', write: 'keyward-edit' },
  apikeyclaims: { read: 'keyward-claim', write: 'keyward-claim' },
}

function notFoundWords(refused: Refused, { namespace }: Doing): string {
  if (/^namespaces "/.test(refused.message))
    return `there is no Kubernetes namespace ${namespaceIn(/^namespaces "([^"]{1,63})"/, refused) ?? namespace}\n  choose another with --namespace`
  if (/could not find the requested resource/.test(refused.message) || refused.reason !== 'NotFound')
    return "the API server does not know Keyward's kinds\n  is Keyward installed there (kubectl get crds)? Is it the right --context?"
  return said(refused)
}

function invalidWords(refused: Refused): string {
  const byWebhook = webhookWords(refused)
  if (byWebhook !== undefined) return byWebhook
  return refused.causes.length === 0 ? said(refused) : printableLines(problemsByFlag(refused.causes).join('\n'))
}

/** Line by line as the webhook said it: it names what would allow it. Fields are named by their flags. */
function webhookWords({ message }: Refused): string | undefined {
  const words = message.replace(BY_WEBHOOK, '')
  return words === message ? undefined : printableLines(words.split('\n').map(byFlag).join('\n'))
}

function byFlag(line: string): string {
  const [, field, message = ''] = /^([a-zA-Z]+\.[^:\s]+): (.*)$/.exec(line) ?? []
  return field === undefined ? line : problemsByFlag([{ field, message }]).join('')
}
