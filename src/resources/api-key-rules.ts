/** What holds between the fields of one ApiKey. */
import { parseCidr } from '../core/address.ts'
import { ENVIRONMENT_CODES } from '../core/environment.ts'
import type { RawApiKeySpec } from './api-key.ts'
import { durationMs, instantMs } from './common.ts'
import { type Finding, forbidden, invalid, required } from './problem.ts'
import { distinct, type Rule } from './rule.ts'

type ApiKeyRule = Rule<RawApiKeySpec>

const HOUR_MS = 3_600_000
const LONGEST_PERIOD_DAYS = 36_500
const LONGEST_PERIOD_MS = LONGEST_PERIOD_DAYS * 24 * HOUR_MS
const MOST_A_SECOND = 1_000_000

const expiresOnADay: ApiKeyRule = {
  name: 'expiresAt is a day of the calendar',
  reads: ['expiresAt'],
  check: ({ expiresAt }) =>
    expiresAt === undefined || instantMs(expiresAt) !== undefined
      ? undefined
      : { at: ['expiresAt'], message: invalid(expiresAt, 'the calendar has no such day') },
}

const rateIsWithinBounds: ApiKeyRule = {
  name: `a rate is at most ${MOST_A_SECOND} requests a second, and full again within ${LONGEST_PERIOD_DAYS}d`,
  reads: ['rateLimit'],
  check: ({ rateLimit }) => {
    if (rateLimit === undefined) return undefined
    const { requests, per, burst = requests } = rateLimit
    const perMs = durationMs(per)
    if (perMs > LONGEST_PERIOD_MS) {
      return { at: ['rateLimit', 'per'], message: invalid(per, `must be at most ${LONGEST_PERIOD_DAYS}d`) }
    }
    if (requests * 1000 > MOST_A_SECOND * perMs) {
      const most = (MOST_A_SECOND * perMs) / 1000
      const right = `must be at most ${most} in ${per}, which is 1,000,000 a second`
      return { at: ['rateLimit', 'requests'], message: invalid(requests, right) }
    }
    if ((burst / requests) * perMs > LONGEST_PERIOD_MS) {
      const right = `at this rate it takes more than ${LONGEST_PERIOD_DAYS}d until it is full again`
      return { at: ['rateLimit', 'burst'], message: invalid(burst, right) }
    }
    return undefined
  },
}

const blocksAreCanonical: ApiKeyRule = {
  name: 'allowedCIDRs are blocks, each written in its one way',
  reads: ['allowedCIDRs'],
  check: ({ allowedCIDRs }) =>
    allowedCIDRs?.flatMap((text, i): Finding[] => {
      const parsed = parseCidr(text)
      return parsed.ok ? [] : [{ at: ['allowedCIDRs', i], message: invalid(text, parsed.problem) }]
    }),
}

const deliveryIsOneWay: ApiKeyRule = {
  name: 'delivery is exactly one of secretName and digest with keyId',
  reads: [],
  check: ({ delivery }) => {
    if (typeof delivery !== 'object' || delivery === null) return undefined
    const { secretName, digest, keyId } = delivery
    if (secretName !== undefined && (digest !== undefined || keyId !== undefined)) {
      return { at: ['delivery'], message: invalid(delivery, 'exactly one of secretName and digest with keyId') }
    }
    if (secretName !== undefined) return undefined
    if (digest === undefined && keyId === undefined) {
      const right =
        'exactly one of secretName and digest with keyId; leave delivery out for a key that is to be claimed'
      return { at: ['delivery'], message: invalid(delivery, right) }
    }
    if (keyId === undefined) return { at: ['delivery', 'keyId'], message: required('digest and keyId go together') }
    return digest === undefined
      ? { at: ['delivery', 'digest'], message: required('digest and keyId go together') }
      : undefined
  },
}

const keyIdIsOfItsEnvironment: ApiKeyRule = {
  name: "delivery.keyId is of the key's environment",
  reads: ['delivery', 'environment'],
  check: ({ delivery, environment }) => {
    const prefix = `kw_${ENVIRONMENT_CODES[environment]}_`
    return delivery?.keyId === undefined || delivery.keyId.startsWith(prefix)
      ? undefined
      : {
          at: ['delivery', 'keyId'],
          message: invalid(delivery.keyId, `a key for ${environment} has a key ID that begins with ${prefix}`),
        }
  },
}

const importedIsNotRegenerated: ApiKeyRule = {
  name: 'a key whose digest is imported is replaced by a new digest, not by regenerate',
  reads: ['regenerate'],
  check: ({ delivery, regenerate = 0 }) =>
    delivery?.digest === undefined || regenerate === 0
      ? undefined
      : {
          at: ['regenerate'],
          message: invalid(regenerate, 'must be 0 where the digest is imported: replace the digest instead'),
        },
}

const rotationNeedsSecret: ApiKeyRule = {
  name: 'rotation needs delivery.secretName',
  reads: [],
  check: ({ rotation, delivery }) =>
    rotation === undefined || delivery?.secretName !== undefined
      ? undefined
      : { at: ['rotation'], message: forbidden('rotation is only possible with delivery.secretName') },
}

const rotationIsNotHasty: ApiKeyRule = {
  name: 'rotation.every is at least 1h, and longer than the overlap',
  reads: ['rotation', 'overlap'],
  check: ({ rotation, overlap = '0s' }) => {
    if (rotation === undefined) return undefined
    const every = durationMs(rotation.every)
    if (every < HOUR_MS) return { at: ['rotation', 'every'], message: invalid(rotation.every, 'must be at least 1h') }
    return durationMs(overlap) < every
      ? undefined
      : {
          at: ['overlap'],
          message: invalid(overlap, `must be shorter than rotation.every, which is ${rotation.every}`),
        }
  },
}

export const RULES: readonly ApiKeyRule[] = [
  distinct('permissions'),
  distinct('customers'),
  expiresOnADay,
  rateIsWithinBounds,
  distinct('allowedCIDRs'),
  blocksAreCanonical,
  importedIsNotRegenerated,
  rotationNeedsSecret,
  rotationIsNotHasty,
  deliveryIsOneWay,
  keyIdIsOfItsEnvironment,
]
