/** Hosts: one spelling, and which API and environment each belongs to. */
import type { Environment } from './environment.ts'
import type { Pin } from './request.ts'
import type { Api } from './route.ts'

export type Served = { readonly api: Api; readonly environment: Environment }

export type HostTable = {
  readonly find: (host: string) => Served | undefined
  /** What a proxy's configuration pins; undefined where there is no such API, or none of that environment. */
  readonly pinned: (pin: Pin, host: string) => Served | undefined
}

export type HostConflict = { readonly api: string; readonly host: string; readonly holder: string }

const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/
const IPV6 = /^\[[0-9A-Fa-f:.]{2,45}\]$/

// most Host headers are written so already; longer names and doubled hyphens take the long way
const PLAIN = /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/

/** Lower case, without port and one trailing dot; undefined for what is no authority (RFC 3986 §3.2.2, no userinfo). */
export function canonicalHost(authority: string): string | undefined {
  if (authority.length <= 63 && PLAIN.test(authority)) return authority
  const match = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?$/.exec(authority)
  if (match === null || Number(match[2] ?? 0) > 65_535) return undefined
  const host = match[1] ?? ''
  // the shape first: some letters beyond ASCII become ASCII in lower case
  if (host.startsWith('[')) return IPV6.test(host) ? host.toLowerCase() : undefined
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  return name.length <= 253 && name.split('.').every((label) => LABEL.test(label)) ? name.toLowerCase() : undefined
}

type Claiming = Pick<Api, 'name' | 'environments'>

/** Whose a host is whatever the order, by its name; whoever that is need not be among the APIs. */
export type HeldHosts = ReadonlyMap<string, { readonly name: string }>

const NOBODY: HeldHosts = new Map()

/** Who has each host, as it is written; of APIs in the order of who came first: where two name one host, the first has it and goes on. */
export function allotHosts<A extends Claiming>(
  apis: readonly A[],
  held: HeldHosts = NOBODY,
): {
  readonly holders: ReadonlyMap<string, { readonly api: A; readonly environment: Environment }>
  readonly conflicts: readonly HostConflict[]
} {
  const holders = new Map<string, { readonly api: A; readonly environment: Environment }>()
  const conflicts: HostConflict[] = []
  for (const api of apis) {
    for (const { name: environment, hosts } of api.environments) {
      for (const host of hosts) {
        const has = holders.has(host)
        const holder = holders.get(host)?.api.name ?? held.get(host)?.name ?? api.name
        if (!has && holder === api.name) holders.set(host, { api, environment })
        else conflicts.push({ api: api.name, host, holder })
      }
    }
  }
  return { holders, conflicts }
}

/** As `allotHosts`, and made to be found by. */
export function compileHosts(
  apis: readonly Api[],
  held: HeldHosts = NOBODY,
): {
  readonly hosts: HostTable
  readonly conflicts: readonly HostConflict[]
} {
  const { holders, conflicts } = allotHosts(apis, held)
  const exact = new Map<string, Served>()
  const wildcards = new Map<string, Served>()
  for (const [host, served] of holders) {
    if (host.startsWith('*.')) wildcards.set(host.slice(2), served)
    else exact.set(host, served)
  }
  const byName = new Map(apis.map((api) => [api.name, api]))
  const find = (host: string) => exact.get(host) ?? wildcards.get(behindFirstLabel(host))
  const pinned = (pin: Pin, host: string): Served | undefined => {
    const byHost = find(host)
    const api = pin.api === undefined ? byHost?.api : byName.get(pin.api)
    if (api === undefined) return undefined
    const wanted = pin.environment ?? (byHost?.api === api ? byHost.environment : onlyOf(api))
    const environment = api.environments.find(({ name }) => name === wanted)?.name
    return environment === undefined ? undefined : { api, environment }
  }
  return { hosts: { find, pinned }, conflicts }
}

// an API that has but one environment leaves nothing to be guessed
const onlyOf = ({ environments }: Api) => (environments.length === 1 ? environments[0]?.name : undefined)

/** What `*.` stands in front of; a host of one label has nothing there. */
function behindFirstLabel(host: string): string {
  const dot = host.indexOf('.')
  return dot === -1 ? '' : host.slice(dot + 1)
}
