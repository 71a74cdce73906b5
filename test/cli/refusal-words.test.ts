/** What a refusal of the API server becomes: words for people, and what to do. */
import { expect, test } from 'vitest'
import { refusalWords } from '../../src/cli/refusal-words.ts'
import { Refused } from '../../src/cli/refused.ts'

const doing = { namespace: 'team-web', self: 'kubectl keyward' }
const words = (said: ConstructorParameters<typeof Refused>[0]) => refusalWords(new Refused(said), doing)

test.each<[string, ConstructorParameters<typeof Refused>[0], string]>([
  [
    'a role that is missing: which one, and how it is given',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev "main" is forbidden: User "ana" cannot patch resource "apikeys" in API group "keyward.dev" in the namespace "team-web"',
    },
    'ana may not patch apikeys in the Kubernetes namespace team-web\n  an administrator can allow it: kubectl create rolebinding keyward-edit-ana -n team-web --clusterrole=keyward-edit --user=ana',
  ],
  [
    'a name that a shell would run: as one word of the command',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev is forbidden: User "oidc:Ana $(id)" cannot list resource "apikeys" in API group "keyward.dev" in the namespace "team-web"',
    },
    "oidc:Ana $(id) may not list apikeys in the Kubernetes namespace team-web\n  an administrator can allow it: kubectl create rolebinding keyward-view-oidc-ana-id -n team-web --clusterrole=keyward-view --user='oidc:Ana $(id)'; or name a namespace where you may: kubectl keyward list -n …",
  ],
  [
    'a service account',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev is forbidden: User "system:serviceaccount:ci:bot" cannot list resource "apikeys" in API group "keyward.dev" at the cluster scope',
    },
    'system:serviceaccount:ci:bot may not list apikeys everywhere\n  an administrator can allow it: kubectl create clusterrolebinding keyward-view-bot --clusterrole=keyward-view --serviceaccount=ci:bot; or name a namespace where you may: kubectl keyward list -n …',
  ],
  [
    'a service account of a server that can not be trusted',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev is forbidden: User "system:serviceaccount:a:\u001b]0;x\u0007$(id)" cannot list resource "apikeys" in API group "keyward.dev" at the cluster scope',
    },
    "system:serviceaccount:a:\\u001b]0;x\\u0007$(id) may not list apikeys everywhere\n  an administrator can allow it: kubectl create clusterrolebinding keyward-view-0-x-id --clusterrole=keyward-view --serviceaccount='a:\\u001b]0;x\\u0007$(id)'; or name a namespace where you may: kubectl keyward list -n …",
  ],
  [
    'claims: the role that gives them and no more',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeyclaims.keyward.dev is forbidden: User "ana" cannot create resource "apikeyclaims" in API group "keyward.dev" in the namespace "team-web"',
    },
    'ana may not create apikeyclaims in the Kubernetes namespace team-web\n  an administrator can allow it: kubectl create rolebinding keyward-claim-ana -n team-web --clusterrole=keyward-claim --user=ana',
  ],
  [
    'another namespace than the one that is worked in: that one',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev "main" is forbidden: User "ana" cannot get resource "apikeys" in API group "keyward.dev" in the namespace "team-shop"',
    },
    'ana may not get apikeys in the Kubernetes namespace team-shop\n  an administrator can allow it: kubectl create rolebinding keyward-view-ana -n team-shop --clusterrole=keyward-view --user=ana',
  ],
  [
    'one that a shell would run: it is not named',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'apikeys.keyward.dev "main" is forbidden: User "ana" cannot get resource "apikeys" in API group "keyward.dev" in the namespace "$(id)"',
    },
    'ana may not get apikeys in the Kubernetes namespace team-web\n  an administrator can allow it: kubectl create rolebinding keyward-view-ana -n team-web --clusterrole=keyward-view --user=ana',
  ],
  [
    'a namespace that is not there',
    { status: 404, reason: 'NotFound', message: 'namespaces "team-shop" not found' },
    'there is no Kubernetes namespace team-shop\n  choose another with --namespace',
  ],
  [
    'our own webhook: its words stand alone, they say what would allow it',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        'admission webhook "admit.keyward.dev" denied the request: "ana" may not create ApiKey team-web/main, since …\nA ClusterRole with this rule',
    },
    '"ana" may not create ApiKey team-web/main, since …\nA ClusterRole with this rule',
  ],
  [
    'our own policy',
    {
      status: 403,
      reason: 'Forbidden',
      message:
        "apikeys.keyward.dev \"main\" is forbidden: ValidatingAdmissionPolicy 'keyward-stamps' with binding 'keyward-stamps' denied request: who made this can't be changed",
    },
    "who made this can't be changed",
  ],
  [
    'fields, by the flags that fill them',
    {
      status: 422,
      reason: 'Invalid',
      message: 'ApiKey.keyward.dev "main" is invalid',
      causes: [
        { field: 'spec.permissions[0]', message: 'Invalid value: "x"' },
        { field: 'spec.expiresAt', message: 'Forbidden: it passed' },
      ],
    },
    '--permissions: Invalid value: "x"\n--expires-at: Forbidden: it passed',
  ],
  [
    'the webhook that is away',
    {
      status: 500,
      reason: 'InternalError',
      message:
        'Internal error occurred: failed calling webhook "admit.keyward.dev": failed to call webhook: Post "https://keyward-operator.keyward-system.svc:443/admit": context deadline exceeded',
    },
    "Keyward's operator could not be asked, and without it nothing is made or widened (500)\n  is it running? Meanwhile kubectl keyward suspend and revoke go on working",
  ],
  [
    'kinds that are not installed',
    { status: 404, reason: '', message: '404 page not found' },
    "the API server does not know Keyward's kinds\n  is Keyward installed there (kubectl get crds)? Is it the right --context?",
  ],
  [
    'who is not known',
    { status: 401, reason: 'Unauthorized', message: 'Unauthorized' },
    'the API server does not know you (401)\n  log in again, or choose who you are: --kubeconfig and --context, or with --server a --token-file',
  ],
])('%s', (_what, said, expected) => {
  expect(words(said)).toBe(expected)
})

test('nothing that a server says is obeyed by a terminal', () => {
  expect(words({ status: 418, reason: 'x', message: 'a\u001b[2Jb' })).toBe('the API server answered 418: a\\u001b[2Jb')
})
