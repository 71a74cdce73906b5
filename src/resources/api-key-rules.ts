/** What holds between the fields of one ApiKey. */
import { parseCidr } from '../core/address.ts'
import { ENVIRONMENT_CODES } from '../core/environment.ts'
import type { RawApiKeySpec } from './api-key.ts'
import { celMap, celMatches } from './cel.ts'
import { CIDR, DURATION, durationMs, INSTANT, instantMs, KEY_ID, PERIOD } from './common.ts'
import { type Finding, forbidden, invalid, required, wrong } from './problem.ts'
import { distinct, type Rule } from './rule.ts'

type ApiKeyRule = Rule<RawApiKeySpec>

const HOUR_MS = 3_600_000
const LONGEST_PERIOD_DAYS = 36_500
const LONGEST_PERIOD_MS = LONGEST_PERIOD_DAYS * 24 * HOUR_MS
const MOST_A_SECOND = 1_000_000
const TOO_FAST = 'must be at most 1,000,000 a second'

/** How many days the month of `self` has, with `2024-02-29` in mind. */
const YEAR = 'int(self.substring(0, 4))'
const FEBRUARY = `(${YEAR} % 4 == 0 && (${YEAR} % 100 != 0 || ${YEAR} % 400 == 0) ? 29 : 28)`
const DAYS_OF_MONTH = `[31, ${FEBRUARY}, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]`

const expiresOnADay: ApiKeyRule = {
  name: 'expiresAt is a day of the calendar',
  reads: ['expiresAt'],
  check: ({ expiresAt }) =>
    expiresAt === undefined || instantMs(expiresAt) !== undefined
      ? undefined
      : { at: ['expiresAt'], message: invalid(expiresAt, 'the calendar has no such day') },
  cluster: [
    {
      on: 'expiresAt',
      rule: `!${celMatches('self', INSTANT)} || int(self.substring(8, 10)) <= ${DAYS_OF_MONTH}[int(self.substring(5, 7)) - 1]`,
      message: 'the calendar has no such day',
    },
  ],
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
      const right = `${TOO_FAST}, which is ${(MOST_A_SECOND * perMs) / 1000} in ${per}`
      return { at: ['rateLimit', 'requests'], message: wrong(right) }
    }
    if ((burst / requests) * perMs > LONGEST_PERIOD_MS) {
      const right = `at this rate it takes more than ${LONGEST_PERIOD_DAYS}d until it is full again`
      return { at: ['rateLimit', 'burst'], message: wrong(right) }
    }
    return undefined
  },
  cluster: [
    {
      on: 'rateLimit.per',
      rule: `!${celMatches('self', PERIOD)} || ${seconds('self')} <= ${LONGEST_PERIOD_MS / 1000}`,
      message: `must be at most ${LONGEST_PERIOD_DAYS}d`,
    },
    {
      on: 'rateLimit',
      rule: `!${celMatches('self.per', PERIOD)} || self.requests <= ${MOST_A_SECOND} * ${seconds('self.per')}`,
      message: TOO_FAST,
      field: '.requests',
    },
    {
      on: 'rateLimit',
      rule: `!has(self.burst) || !${celMatches('self.per', PERIOD)} || ${seconds('self.per')} > ${LONGEST_PERIOD_MS / 1000} || self.burst * ${seconds('self.per')} <= ${LONGEST_PERIOD_MS / 1000} * self.requests`,
      message: `at this rate it takes more than ${LONGEST_PERIOD_DAYS}d until it is full again`,
      field: '.burst',
    },
  ],
}

/** CEL for the seconds of a text such as 15m. */
function seconds(text: string): string {
  const unit = `{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[${text}.substring(${text}.size() - 1)]`
  return `int(${text}.substring(0, ${text}.size() - 1)) * ${unit}`
}

const NO_BLOCK = 'not a CIDR block such as 203.0.113.0/24'

const blocksAreCanonical: ApiKeyRule = {
  name: 'allowedCIDRs are blocks, each written in its one way',
  reads: ['allowedCIDRs'],
  check: ({ allowedCIDRs }) =>
    allowedCIDRs?.flatMap((text, i): Finding[] => {
      const problem = wrongBlock(text)
      return problem === undefined ? [] : [{ at: ['allowedCIDRs', i], message: invalid(text, problem) }]
    }),
  cluster: [
    {
      on: 'allowedCIDRs[]',
      rule: `!${celMatches('self', CIDR)} || isCIDR(self)`,
      message: NO_BLOCK,
      says: `self.matches('/[1-9][0-9]*$') && isIP(self.split('/')[0]) && !self.startsWith('::ffff:') ? '/' + self.split('/')[1] + ' is longer than an address' : '${NO_BLOCK}'`,
    },
    {
      on: 'allowedCIDRs[]',
      rule: '!isCIDR(self) || cidr(self) == cidr(self).masked()',
      message: 'host bits are set: write the first address of the block',
    },
  ],
}

function wrongBlock(text: string): string | undefined {
  const parsed = parseCidr(text)
  if (!parsed.ok) return parsed.problem
  // the API server's CIDR library knows no IPv4 block in IPv6 form, and one block has one name
  return text.includes(':') && (parsed.value.first << parsed.value.shift) >> 32n === 0xffffn ? NO_BLOCK : undefined
}

const ONE_DELIVERY = 'exactly one of secretName and digest with keyId'
const NO_DELIVERY = `${ONE_DELIVERY}; leave delivery out for a key that is to be claimed`
const TOGETHER = 'digest and keyId go together'

const deliveryIsOneWay: ApiKeyRule = {
  name: 'delivery is exactly one of secretName and digest with keyId',
  reads: [],
  check: ({ delivery }) => {
    if (typeof delivery !== 'object' || delivery === null) return undefined
    const { secretName, digest, keyId } = delivery
    if (secretName !== undefined && (digest !== undefined || keyId !== undefined)) {
      return { at: ['delivery'], message: wrong(ONE_DELIVERY) }
    }
    if (secretName !== undefined) return undefined
    if (digest === undefined && keyId === undefined) {
      return { at: ['delivery'], message: wrong(NO_DELIVERY) }
    }
    if (keyId === undefined) return { at: ['delivery', 'keyId'], message: required(TOGETHER) }
    return digest === undefined ? { at: ['delivery', 'digest'], message: required(TOGETHER) } : undefined
  },
  cluster: [
    {
      on: 'delivery',
      rule: '!has(self.secretName) || (!has(self.digest) && !has(self.keyId))',
      message: ONE_DELIVERY,
    },
    {
      on: 'delivery',
      rule: 'has(self.secretName) || has(self.digest) || has(self.keyId)',
      message: NO_DELIVERY,
    },
    {
      on: 'delivery',
      rule: 'has(self.secretName) || !has(self.digest) || has(self.keyId)',
      message: TOGETHER,
      field: '.keyId',
      reason: 'FieldValueRequired',
    },
    {
      on: 'delivery',
      rule: 'has(self.secretName) || !has(self.keyId) || has(self.digest)',
      message: TOGETHER,
      field: '.digest',
      reason: 'FieldValueRequired',
    },
  ],
}

const CEL_PREFIX = `'kw_' + ${celMap(ENVIRONMENT_CODES)}[self.environment] + '_'`

const keyIdIsOfItsEnvironment: ApiKeyRule = {
  name: "delivery.keyId is of the key's environment",
  reads: ['delivery', 'environment'],
  check: ({ delivery, environment }) => {
    const prefix = `kw_${ENVIRONMENT_CODES[environment]}_`
    return delivery?.keyId === undefined || delivery.keyId.startsWith(prefix)
      ? undefined
      : {
          at: ['delivery', 'keyId'],
          message: wrong(`a key for ${environment} has a key ID that begins with ${prefix}`),
        }
  },
  cluster: [
    {
      rule: `!has(self.delivery) || !has(self.delivery.keyId) || !${celMatches('self.delivery.keyId', KEY_ID)} || self.delivery.keyId.startsWith(${CEL_PREFIX})`,
      message: 'the key ID is of another environment',
      says: `'a key for ' + self.environment + ' has a key ID that begins with ' + ${CEL_PREFIX}`,
      field: '.delivery.keyId',
    },
  ],
}

const REPLACE_DIGEST = 'must be 0 where the digest is imported: replace the digest instead'

const importedIsNotRegenerated: ApiKeyRule = {
  name: 'a key whose digest is imported is replaced by a new digest, not by regenerate',
  reads: ['regenerate'],
  check: ({ delivery, regenerate = 0 }) =>
    delivery?.digest === undefined || regenerate === 0
      ? undefined
      : {
          at: ['regenerate'],
          message: wrong(REPLACE_DIGEST),
        },
  cluster: [
    {
      rule: '!has(self.delivery) || !has(self.delivery.digest) || !has(self.regenerate) || self.regenerate == 0',
      message: REPLACE_DIGEST,
      field: '.regenerate',
    },
  ],
}

const NEEDS_SECRET = 'rotation is only possible with delivery.secretName'

const rotationNeedsSecret: ApiKeyRule = {
  name: 'rotation needs delivery.secretName',
  reads: [],
  check: ({ rotation, delivery }) =>
    rotation === undefined || delivery?.secretName !== undefined
      ? undefined
      : { at: ['rotation'], message: forbidden(NEEDS_SECRET) },
  cluster: [
    {
      rule: '!has(self.rotation) || (has(self.delivery) && has(self.delivery.secretName))',
      message: NEEDS_SECRET,
      field: '.rotation',
      reason: 'FieldValueForbidden',
    },
  ],
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
          message: wrong(`must be shorter than rotation.every, which is ${rotation.every}`),
        }
  },
  cluster: [
    {
      on: 'rotation.every',
      rule: `!${celMatches('self', DURATION)} || duration(self) >= duration('1h')`,
      message: 'must be at least 1h',
    },
    {
      rule: `!has(self.rotation) || !has(self.overlap) || !${celMatches('self.rotation.every', DURATION)} || !${celMatches('self.overlap', DURATION)} || duration(self.rotation.every) < duration('1h') || duration(self.overlap) < duration(self.rotation.every)`,
      message: 'must be shorter than rotation.every',
      says: "'must be shorter than rotation.every, which is ' + self.rotation.every",
      field: '.overlap',
    },
  ],
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
