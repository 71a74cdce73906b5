/** PURE: an ApiKey as a decision knows it, whichever its secret: for explanations, which begin behind the credential. */
import { composeKeyId, RANDOM_BYTES } from '../core/credential.ts'
import type { KeyRecord } from '../core/record.ts'
import type { ApiKey } from './api-key.ts'
import { recordOf } from './key-record.ts'

/** Of all that it asks for; which key ID and digest it has makes no difference. */
export function recordBehind(apiKey: ApiKey): KeyRecord {
  const { namespace, name, spec } = apiKey
  const secret = {
    keyId: composeKeyId(spec.environment, new Uint8Array(RANDOM_BYTES)),
    uid: 'explained',
    name: `${namespace}/${name}`,
    origin: 'minted',
    rotations: 0,
    current: undefined,
    previous: undefined,
  } as const
  return recordOf(apiKey, secret, undefined).record
}
