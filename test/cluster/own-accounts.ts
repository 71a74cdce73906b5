/** Keyward's own accounts may no more than is written down: golden files of `kubectl auth can-i --list`, and what they must never say. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { linesOf, type Rights, rightsOf, without } from '../support/can-i.ts'
import type { Cluster } from '../support/cluster.ts'

const GOLDEN = join(import.meta.dirname, 'golden')
const goldenOf = (account: string): string => join(GOLDEN, `${account}.txt`)
/** `KEYWARD_WRITE_GOLDEN=1 npm run -s vitest -- run --project cluster test/cluster/rights.test.ts` writes the files anew. */
const WRITES = process.env.KEYWARD_WRITE_GOLDEN !== undefined

const ACCOUNTS = ['keyward-authz', 'keyward-operator'] as const
type Account = (typeof ACCOUNTS)[number]
const OWN = ['keyward-system', 'keyward-operator'] as const
/** What an account may here it may in every Kubernetes namespace. */
const ELSEWHERE = 'team-web'

type Question = {
  readonly verb: string
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
}

/** What RBAC says of an account, asked by an administrator. */
async function may(
  cluster: Cluster,
  account: Account,
  { verb, resource, namespace, name }: Question,
): Promise<boolean> {
  const [own = '', subresource] = resource.split('/')
  const [plural = '', ...group] = own.split('.')
  const attributes = { verb, group: group.join('.'), resource: plural, subresource, namespace, name }
  const { body } = await cluster.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec: {
      user: `system:serviceaccount:keyward-system:${account}`,
      groups: ['system:serviceaccounts', 'system:serviceaccounts:keyward-system', 'system:authenticated'],
      resourceAttributes: attributes,
    },
  })
  return (body as { readonly status: { readonly allowed: boolean } }).status.allowed
}

const asked = (verbs: readonly string[], more: Omit<Question, 'verb'>): readonly Question[] =>
  verbs.map((verb) => ({ verb, ...more }))

/** @param page the text of docs/rbac.md */
export function ownAccounts(cluster: () => Cluster, page: string): void {
  /** Of these, what the account may. */
  async function allowed(account: Account, questions: readonly Question[]): Promise<readonly Question[]> {
    const answers = await Promise.all(questions.map((question) => may(cluster(), account, question)))
    return questions.filter((_, i) => answers[i])
  }

  describe("Keyward's own accounts", () => {
    const rights = new Map<Account, ReadonlyMap<string, Rights>>()

    beforeAll(async () => {
      for (const name of ACCOUNTS) {
        rights.set(name, await rightsOf(cluster(), { name, namespace: 'keyward-system' }, [ELSEWHERE, ...OWN]))
      }
    })

    const of = (name: Account, place: string): Rights => rights.get(name)?.get(place) ?? new Map()

    test('are these two', async () => {
      const { body } = await cluster().request(
        'GET',
        '/api/v1/serviceaccounts?labelSelector=app.kubernetes.io/name=keyward',
      )
      const found = (body as { items: { metadata: { name: string; namespace: string } }[] }).items
      expect(found.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()).toEqual(
        ACCOUNTS.map((name) => `keyward-system/${name}`),
      )
    })

    test.each(ACCOUNTS)('%s may what its golden file says, and nothing else', (name) => {
      const everywhere = of(name, ELSEWHERE)
      const parts = [
        ['in every Kubernetes namespace', everywhere] as const,
        ...OWN.map((place) => [`beyond that, in ${place}`, without(of(name, place), everywhere)] as const),
      ].map(([title, found]) => [`# ${title}`, ...linesOf(found)].join('\n'))
      const text = `# kubectl auth can-i --list, as ${name}, without what everybody may\n\n${parts.join('\n\n')}\n`
      if (WRITES) {
        mkdirSync(GOLDEN, { recursive: true })
        writeFileSync(goldenOf(name), text)
      }
      const hint = 'if that is meant: write the golden files anew (top of own-accounts.ts), and docs/rbac.md'
      expect(text, hint).toBe(existsSync(goldenOf(name)) ? readFileSync(goldenOf(name), 'utf8') : '')
    })

    test.each(ACCOUNTS)('%s: docs/rbac.md says all of it, and why', (name) => {
      const [, golden = ''] = readFileSync(goldenOf(name), 'utf8').split(/\n\n(.*)/s)
      const [, table = ''] = page.split(`### ${name}\n`)
      const rows = (table.split('\n#')[0] ?? '').matchAll(
        /^\| (everywhere|`[\w-]+`) \| `(.+?)` \| (.+?) \| .{5,} \|$/gm,
      )
      const said = [...rows].map(
        ([, where = '', resource, verbs]) => `${where.replaceAll('`', '')} ${resource}: ${verbs}`,
      )
      const is = golden.split('\n\n').flatMap((part) => {
        const [title = '', ...lines] = part.trimEnd().split('\n')
        const where = / in (keyward-\w+)$/.exec(title)?.[1] ?? 'everywhere'
        return lines.map((line) => `${where} ${line}`)
      })
      expect(said.sort()).toEqual(is.sort())
    })

    test.each(ACCOUNTS)('%s reads Secrets of Keyward only', async (name) => {
      const reads = ['get', 'list', 'watch', 'update', 'delete', 'deletecollection']
      const elsewhere = [{}, ...['team-web', 'kube-system', 'default'].map((namespace) => ({ namespace }))]
      const questions = elsewhere.flatMap((place) => asked(reads, { resource: 'secrets', ...place }))
      // in that of the operator by name only, and those of its own
      const all = asked(['list', 'watch', 'delete'], { resource: 'secrets', namespace: 'keyward-operator' })
      expect(await allowed(name, [...questions, ...all])).toEqual([])
      expect(await may(cluster(), name, { verb: 'list', resource: 'secrets', namespace: 'keyward-system' })).toBe(true)
    })

    test('authz writes nothing anywhere', () => {
      for (const place of [ELSEWHERE, ...OWN]) {
        const verbs = [...of('keyward-authz', place).values()].flatMap((some) => [...some])
        expect([place, [...new Set(verbs)].sort()]).toEqual([place, ['list', 'watch']])
      }
    })

    test('of the certificate authority and the key of stamps the operator alone reads', async () => {
      const questions = ['keyward-webhook-certificates', 'keyward-stamp-key'].flatMap((name) =>
        asked(['get', 'list', 'watch'], { resource: 'secrets', namespace: 'keyward-operator', name }),
      )
      expect(await allowed('keyward-authz', questions)).toEqual([])
      expect(await allowed('keyward-operator', questions)).toEqual(questions.filter(({ verb }) => verb === 'get'))
    })

    test.each(ACCOUNTS)('%s gives nobody rights, becomes nobody, and runs nothing', async (name) => {
      const rbac = ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings']
      const admission = [
        'mutatingwebhookconfigurations',
        'validatingwebhookconfigurations',
        'validatingadmissionpolicies',
      ]
      const kinds = [
        ...rbac.map((kind) => `${kind}.rbac.authorization.k8s.io`),
        ...admission.map((kind) => `${kind}.admissionregistration.k8s.io`),
        ...['pods', 'pods/exec', 'serviceaccounts', 'serviceaccounts/token', 'users', 'groups'],
        'customresourcedefinitions.apiextensions.k8s.io',
      ]
      const verbs = ['create', 'update', 'patch', 'delete', 'bind', 'escalate', 'impersonate']
      const questions = kinds.flatMap((resource) => asked(verbs, { resource, name: 'somebody-elses' }))
      expect(await allowed(name, questions)).toEqual([])
      for (const place of [ELSEWHERE, ...OWN]) {
        expect(linesOf(of(name, place)).filter((line) => line.includes('*'))).toEqual([])
      }
    })

    test.each(ACCOUNTS)('%s may grant no permission and serve no host itself', async (name) => {
      const grants = { resource: 'accessnamespaces.keyward.dev/permissions', name: 'acme' }
      const hosts = { resource: 'hosts.keyward.dev', name: 'api.example.com' }
      expect(await allowed(name, [...asked(['customer:read', '*'], grants), ...asked(['serve'], hosts)])).toEqual([])
    })
  })
}
