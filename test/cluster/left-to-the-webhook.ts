/** What one object shows and the definitions can't say: taken where nobody answers the webhooks (crds.test.ts), and refused where somebody does. */
import { expect, test } from 'vitest'
import { CRD_KINDS } from '../../src/resources/crd/kinds.ts'
import type { ManifestKind } from '../../src/resources/manifest.ts'
import { aKey, anIssuer, BAD } from '../resources/cases.ts'
import { ELSEWHERE } from '../resources/on-cluster.ts'
import type { Answer, Cluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

const GROUP = '/apis/keyward.dev/v1alpha1'
const TAKEN = ELSEWHERE.filter(({ answer }) => answer === 'takes it').flatMap(({ cases }) => cases)
const CREATED = BAD.filter(([what]) => TAKEN.includes(what))
/** The one that needs a clock, below. */
const EDITED = ['an expired key regenerated']

/** As standalone refuses it, with a member's name written in another way. */
const HIDDEN = JSON.stringify({ keys: [{ kty: 'EC', d: 's3cret' }] }).replace('"d"', '"\\u0064"')
const PRIVATE = 'it holds "d", which is private: public keys only'

const messageOf = ({ body }: Answer) => String((body as { readonly message?: unknown }).message)

function pathOf(value: unknown): string {
  const { kind } = value as { readonly kind: ManifestKind }
  const { plural, scope } = CRD_KINDS[kind]
  return scope === 'Cluster' ? `${GROUP}/${plural}` : `${GROUP}/namespaces/team-web/${plural}`
}

/** In a cluster with a Kubernetes namespace team-web, as an administrator. */
export function leftToTheWebhook(cluster: () => Pick<Cluster, 'request'>): void {
  const make = (value: unknown, query = '') => cluster().request('POST', `${pathOf(value)}${query}`, value)
  const edit = (path: string, spec: object, metadata: object = {}) =>
    cluster().request('PATCH', path, { spec, metadata }, 'application/merge-patch+json')

  test('is all that the definitions take', () => {
    expect([...CREATED.map(([what]) => what), ...EDITED].toSorted()).toEqual(TAKEN.toSorted())
  })

  test.each(CREATED)('%s', async (_what, value, _field, words) => {
    const answer = await make(value, '?dryRun=All')
    expect([answer.status, messageOf(answer)]).toEqual([422, expect.stringContaining('denied the request')])
    expect(messageOf(answer)).toContain(words)
  })

  test('an expired key regenerated', async () => {
    const expiresAt = new Date(Date.now() + 1500).toISOString()
    const value = aKey({ expiresAt }, { name: 'ending' })
    expect((await make(value)).status).toBe(201)
    const refusal = await until('the key has ended', async () => {
      const answer = await edit(`${pathOf(value)}/ending?dryRun=All`, { regenerate: 1 })
      return answer.status === 200 ? undefined : messageOf(answer)
    })
    expect(refusal).toContain('an expired key gets no new secret')
  })

  test('a private key that is hidden in a JWK Set, when an issuer is made and when it is edited', async () => {
    const value = anIssuer({ jwksUri: undefined, jwks: HIDDEN })
    const good = anIssuer({ jwksUri: undefined, jwks: '{"keys":[{"kty":"EC"}]}' })
    const made = await make(value)
    expect((await make(good)).status).toBe(201)
    const path = `${pathOf(good)}/platform`
    const edited = await edit(path, { jwks: HIDDEN })
    for (const answer of [made, edited]) {
      expect(messageOf(answer)).toContain('admission webhook "tokenissuers.keyward.dev" denied the request')
      expect(messageOf(answer)).toContain(PRIVATE)
      expect(JSON.stringify(answer.body)).not.toContain('s3cret')
    }
    expect((await edit(path, {}, { labels: { a: 'b' } })).status).toBe(200)
  })
}
