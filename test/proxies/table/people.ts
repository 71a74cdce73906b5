/**
 * Checks about what no folder of manifests can hold: keys whose people have lost what they could grant, a key that is being
 * deleted, and limits that can not be asked. The listeners are the real ones, in this process; index and limiter are made up.
 */
import { randomUUID } from 'node:crypto'
import { extAuthz } from '../../../src/authz/ext-authz.ts'
import { serveGrpc } from '../../../src/authz/grpc-serve.ts'
import { httpCheck } from '../../../src/authz/http-check.ts'
import type { Permission } from '../../../src/core/permission.ts'
import type { KeyRecord } from '../../../src/core/record.ts'
import type { RouteSpec } from '../../../src/core/route.ts'
import { type Limiter, makeCheck } from '../../../src/enforce/check.ts'
import { localLimiter } from '../../../src/enforce/local-limiter.ts'
import { listen } from '../../../src/runtime/listen.ts'
import { createProxy } from '../../../src/sidecar/proxy.ts'
import { aKey, anAccessNamespace, anApi, anIndex, aRate } from '../../support/make.ts'
import type { Behind } from '../fronts/front.ts'
import { HOST } from './case.ts'
import type { Source } from './source.ts'
import { startTableUpstream } from './upstream.ts'

const permissions = (...texts: readonly string[]) => texts as readonly Permission[]

const NAMESPACES = [
  anAccessNamespace({ name: 'acme', type: 'organization', externalId: 'org-1' }),
  anAccessNamespace({ name: 'acme-web', type: 'application', parent: 'acme', externalId: 'app-7' }),
  anAccessNamespace({ name: 'acme-web-eu', type: 'workspace', parent: 'acme-web', externalId: 'eu-1' }),
  anAccessNamespace({ name: 'acme-web-us', type: 'workspace', parent: 'acme-web', externalId: 'us-1' }),
]

const THING_WRITE = 'thing:write' as Permission
const WORKSPACE_READ = 'workspace:read' as Permission

const ROUTES: readonly RouteSpec[] = [
  { methods: ['GET'], path: '/public/**', public: true },
  { methods: ['GET'], path: '/v1/things', permission: 'thing:read' as Permission },
  { methods: ['PUT'], path: '/v1/things/{thing}', permission: THING_WRITE },
  {
    methods: ['GET'],
    path: '/v1/workspaces/{workspace}',
    permission: WORKSPACE_READ,
    resource: 'workspace',
    id: 'workspace',
    reach: { application: 'within' },
  },
  {
    methods: ['GET'],
    path: '/v1/lists/told',
    permission: WORKSPACE_READ,
    resource: 'workspace',
    reach: { application: 'within' },
    narrow: { upstream: true },
  },
]

const key = (name: string, wanted: Partial<KeyRecord>) => aKey({ name: `team-a/${name}`, ...wanted })

const KEYS = {
  lessened: key('lessened', {
    asked: permissions('thing:read', 'thing:write'),
    held: permissions('thing:read'),
  }),
  partly: key('partly', {
    accessNamespace: 'acme-web',
    asked: permissions('workspace:read'),
    heldWithin: new Map([[WORKSPACE_READ, new Set(['acme-web-eu'])]]),
  }),
  deleted: key('deleted', { asked: permissions('thing:read'), state: 'Deleted' }),
  closed: key('closed', { asked: permissions('thing:read'), limits: [aRate()] }),
  'closed-late': key('closed-late', { asked: permissions('thing:read'), limits: [aRate()] }),
} as const

const nowUs = () => Date.now() * 1000

/** Two keys whose limits can not be asked, one of which takes a moment to find out. */
function fakeLimiter(): Limiter {
  const real = localLimiter(nowUs)
  return {
    spend: (bucket, limits) => {
      if (bucket === KEYS.closed.record.keyId) return undefined
      if (bucket === KEYS['closed-late'].record.keyId) return Promise.resolve(undefined)
      return real.spend(bucket, limits)
    },
  }
}

export async function startPeople(): Promise<Source> {
  const upstream = await startTableUpstream()
  const environments = [{ name: 'production', hosts: [HOST] }] as const
  const index = anIndex({
    apis: [anApi({ environments, routes: ROUTES, limitFailure: 'closed' })],
    namespaces: NAMESPACES,
    keys: Object.values(KEYS),
  })
  const check = makeCheck({ index: () => index, limiter: fakeLimiter(), nowUs, note: () => undefined })
  const at = { host: '127.0.0.1', port: 0 }
  const newRequestId = () => randomUUID()
  const http = await listen(
    httpCheck({ check, trustedHops: 0, newRequestId, untold: () => undefined, date: () => new Date().toUTCString() }),
    at,
  )
  const grpc = await serveGrpc({ check: extAuthz({ check, newRequestId }), serving: () => true, tls: undefined }, at)
  const proxy = createProxy({
    check,
    recheck: check,
    upstream: upstream.url,
    requestId: newRequestId,
    trustedHops: 0,
    note: () => undefined,
  })
  const behind: Behind = { upstream, proxyPort: await proxy.listen(at), checkPort: http.port, grpcPort: grpc.port }
  return {
    behind,
    credential: (name) => KEYS[name as keyof typeof KEYS].credential.text,
    stop: async () => {
      await Promise.all([http.stop(0), grpc.stop(0), proxy.stop(0)])
      await upstream.stop()
    },
  }
}
