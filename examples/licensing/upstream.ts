/**
 * A small licensing API. It checks nobody: whatever reaches it has passed Keyward, which tells in `x-keyward-*` who asks.
 * On its own: `npm run -s node -- examples/licensing/upstream.ts 3000`
 */
import type { IncomingHttpHeaders, Server } from 'node:http'
import { found, jsonApi, NOT_FOUND } from '../json-api.ts'

const CUSTOMERS = [
  { id: 'globex', name: 'Globex Corporation' },
  { id: 'initech', name: 'Initech' },
  { id: 'umbrella', name: 'Umbrella' },
]

const FIRST_LICENSES = [
  { id: 'lic-1', customer: 'globex', product: 'studio', seats: 25 },
  { id: 'lic-2', customer: 'initech', product: 'studio', seats: 5 },
  { id: 'lic-3', customer: 'umbrella', product: 'server', seats: 1 },
]

export function upstream(): Server {
  const licenses = new Map<string, object>(FIRST_LICENSES.map((license) => [license.id, license]))
  let last = FIRST_LICENSES.length

  const put = (id: string, license: object) => {
    licenses.set(id, { ...license, id })
    return licenses.get(id)
  }
  const change = (id: string, license: object) => found(licenses.has(id) ? put(id, license) : undefined)

  return jsonApi([
    ['GET', /^\/healthz$/, () => [200, { status: 'ok' }]],
    ['GET', /^\/v1\/whoami$/, ({ headers }) => [200, toldOf(headers)]],

    ['GET', /^\/v1\/licenses$/, () => [200, { items: [...licenses.values()] }]],
    ['POST', /^\/v1\/licenses$/, ({ body }) => [201, put(`lic-${++last}`, body)]],
    ['GET', /^\/v1\/licenses\/([^/]+)$/, ({ parts: [id = ''] }) => found(licenses.get(id))],
    ['PUT', /^\/v1\/licenses\/([^/]+)$/, ({ parts: [id = ''], body }) => change(id, body)],
    [
      'PATCH',
      /^\/v1\/licenses\/([^/]+)$/,
      ({ parts: [id = ''], body }) => change(id, { ...licenses.get(id), ...body }),
    ],
    ['DELETE', /^\/v1\/licenses\/([^/]+)$/, ({ parts: [id = ''] }) => (licenses.delete(id) ? [204] : NOT_FOUND)],

    [
      'GET',
      /^\/v1\/customers$/,
      ({ headers }) => [200, { items: CUSTOMERS.filter(({ id }) => mayTouch(headers, id)) }],
    ],
    ['GET', /^\/v1\/customers\/([^/]+)$/, ({ parts: [id] }) => found(CUSTOMERS.find((customer) => customer.id === id))],

    ['POST', /^\/v1\/telemetry$/, () => [202, { accepted: true }]],
  ])
}

/** The route says `customersAtUpstream: true`; this is our half of it. `*`: the key is not limited to customers. */
function mayTouch(headers: IncomingHttpHeaders, customer: string): boolean {
  const customers = String(headers['x-keyward-customers'] ?? '').split(',')
  return customers.includes('*') || customers.includes(customer)
}

/** What Keyward says of the caller; and whether a credential came through, which never happens. */
const toldOf = (headers: IncomingHttpHeaders) => ({
  ...Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-keyward-'))),
  sawCredential: headers.authorization !== undefined || headers['x-api-key'] !== undefined,
})

if (import.meta.main) {
  const server = upstream().listen(Number(process.argv[2] ?? 3000), '127.0.0.1', () => console.log(server.address()))
}
