/** Every sentence of the seeds that is not true yet, or not wholly, and what it waits for. */
import type { Seed } from './sentences.ts'

export type NotYet = {
  readonly seed: Seed
  readonly sentence: string
  readonly needs:
    | 'the console'
    | 'request logs'
    | 'last use'
    | 'access tokens'
    /** Users, whose own rights cap their keys: RBAC on a cluster. */
    | "people's accounts"
}

const page = (needs: NotYet['needs'], sentences: readonly string[]): readonly NotYet[] =>
  sentences.map((sentence) => ({ seed: 'api-keys-page', sentence, needs }))

const passport = (needs: NotYet['needs'], sentences: readonly string[]): readonly NotYet[] =>
  sentences.map((sentence) => ({ seed: 'passport-api-keys', sentence, needs }))

export const NOT_YET: readonly NotYet[] = [
  ...page('the console', [
    'The API Keys page is the control center for programmatic access to the platform.',
    'It allows administrators to generate, manage, and secure the credentials used by external applications, scripts, and integrations.',
    'You can see a summary of these permissions (e.g., License Management, Customer Read, Telemetry Write) directly in the main list.',
    'Status Monitoring: Instantly see if a key is Active,Inactive, orExpired.',
    'Click Create API Key.',
    '429 Too Many Requests: Check the Rate Limits column.',
    'You can verify active permissions in the “Permissions” column.',
    'Background Jobs - Monitor jobs triggered via the API.',
  ]),
  ...page('last use', [
    'Last Used Tracking: Monitor exactly when a key was last used to identify orphaned or underutilized integrations.',
  ]),
  ...page('request logs', [
    // cutting off is tested; the history that stays is so far the key itself
    'Revocation: If a key is compromised or no longer needed, it can be revoked immediately, cutting off all future access without deleting the historical data associated with it.',
    'Logs - View detailed API request/response logs.',
  ]),

  ...passport('the console', [
    'You need to first access your user profile page.',
    'Go directly to the user profile page using this link: .',
    'In the Authenticator & Access panel, click API keys which will take you to the Account setting page.',
    'On the Account setting page, in the API Keys pane, click the button Generate New API Key.',
    'In the API keys dialog box, enter information in the Name field.',
    'In the Namespace box, select a namespace from the drop-down list.',
    'If an expiry date is required, enter that information in the Expiry Date box.',
    'When done, click Generate to produce the new API keys.',
  ]),
  ...passport('access tokens', [
    // keys are tested at every endpoint; that the same endpoint takes access tokens is not there
    'API keys are not used to generate access tokens but they can be passed directly to any back-end service endpoint which does accept access tokens.',
  ]),
  ...passport("people's accounts", [
    // that a key without a namespace is refused is tested; that its creator has access to one is not there
    'A platform application is not required (like user access keys), but access to at least one namespace is required.',
    'API keys will only have the same level of access as the user who created the API keys.',
    'This level of access applies to the namespace for which the API key was created.',
    'In all cases, an API key’s authorization does not exceed that of the user that created the API key.',
    'For example, if you create an API key using an application namespace, it is not permitted to update a workspace if you do not have EDIT permission for that workspace.',
  ]),
]
