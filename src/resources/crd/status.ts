/** The shapes of the statuses as CRDs hold them: bounded like everything else, and written by the operator only. */
import { z } from 'zod'
import { ADAPTERS, type Adapter } from '../../core/adapter.ts'
import { matching } from '../common.ts'
import { MAX_ROUTES } from '../route.ts'

const text = (max: number) => z.string().max(max)
const moment = () => text(40).meta({ format: 'date-time' })
const whole = (min = 0) => z.int().min(min).max(Number.MAX_SAFE_INTEGER)

const condition = z.object({
  type: text(316).describe('what is said, such as Ready'),
  status: z.enum(['True', 'False', 'Unknown']).describe('whether it is so'),
  observedGeneration: whole().describe('the generation of the spec that it is said of').optional(),
  lastTransitionTime: moment().describe('when the status last became another'),
  reason: matching({
    max: 1024,
    pattern: /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/,
    right: 'a reason in CamelCase',
  }).describe('why, in one word for programs'),
  message: text(32_768).describe('why, in a sentence for people'),
})

const conditions = (which: string) =>
  z
    .array(condition)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe(`what is known of it: ${which}`)
    .optional()

const observedGeneration = whole().describe('the generation of the spec that this status is of').optional()

const person = z.object({ username: text(1024).describe('the name that the API server knows the user by').optional() })

export const apiKeyStatus = z
  .object({
    phase: z
      .enum(['Pending', 'Active', 'Inactive', 'Expired', 'Failed'])
      .describe(
        'the conditions in one word. Pending: the credential waits to be claimed. Inactive: suspended or revoked',
      )
      .optional(),
    keyId: text(20).describe('the public part of the key, which requests and logs are told apart by').optional(),
    createdBy: person.describe('who made the key').optional(),
    permissions: z
      .array(text(128))
      .max(64)
      .describe('what the key may do now: asked for, and still held by whoever made and whoever received it')
      .optional(),
    permissionsSummary: text(10_240).describe('the same in one line, for tables').optional(),
    withheld: z
      .array(
        z.object({
          permission: text(128).describe('what is asked for and not in force'),
          since: moment().describe('when it was first seen not to be held').optional(),
          because: z
            .array(text(1024))
            .max(8)
            .describe('who does not hold it: of those who made and who received the key')
            .optional(),
        }),
      )
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .describe(
        'permissions that the key asks for and that somebody behind it does not hold; absent where there is none',
      )
      .optional(),
    limitsSummary: text(256).describe('rate and quota in one line, for tables').optional(),
    credential: z
      .object({
        version: whole(1).describe('its number: 1, and one more with each regeneration').optional(),
        issuedAt: moment().describe('when its secret was made').optional(),
        claimedBy: person.describe('who received it').optional(),
        claimedAt: moment().describe('when it was handed over').optional(),
        previousValidUntil: moment().describe('until when the replaced secret still works').optional(),
      })
      .describe('the secret that is in force; never the secret itself')
      .optional(),
    lastUsedAt: moment().describe('when a request was last let through, give or take a few minutes').optional(),
    observedGeneration,
    conditions: conditions('Ready, Claimed, WithinCreatorAccess, ExpiringSoon'),
  })
  .describe('what became of it. Written by the operator, and never read as input')

export const claimStatus = z
  .object({
    version: whole(1).describe('the version that was handed over').optional(),
    jwe: text(4096)
      .describe(
        'the credential, encrypted to the public key: a compact JWE of {"id", "secret", "key"}. It is set once; delete the claim when you have read it',
      )
      .optional(),
    attempt: z
      .object({
        id: text(64).describe('which try of the operator holds the hand-over').optional(),
        at: moment().describe('when it began').optional(),
      })
      .describe('a hand-over that is under way')
      .optional(),
    observedGeneration,
    conditions: conditions('Delivered or Denied, and Finished for both'),
  })
  .describe('the answer. Written by the operator, and never read as input')

export const accessNamespaceStatus = z
  .object({ observedGeneration, conditions: conditions('Accepted') })
  .describe('what became of it. Written by the operator')

export const protectedApiStatus = z
  .object({
    hosts: z
      .array(
        z.object({
          host: text(253).describe('the host'),
          uid: text(64).describe('the uid of the ProtectedApi that has it, this one or an earlier one').optional(),
          holder: text(320).describe('namespace and name of that ProtectedApi').optional(),
        }),
      )
      .max(96)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['host'] })
      .describe('who has each host: the first that named it')
      .optional(),
    adapters: z
      .array(
        z.object({
          name: z
            .enum(Object.keys(ADAPTERS) as [Adapter, ...Adapter[]])
            .describe(
              "how a request is asked about. ReverseProxy: Keyward's own. EnvoyGRPC: ext_authz over gRPC. HTTPCheck: any proxy that asks over HTTP",
            ),
          serves: whole().describe('how many of the routes it can serve').optional(),
          refuses: z
            .array(text(512))
            .max(MAX_ROUTES)
            .describe('the lists that it refuses with 403 narrowing_unavailable, and which field it can not do')
            .optional(),
        }),
      )
      .max(8)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .describe('which adapters can serve which routes')
      .optional(),
    hostsSummary: text(1024).describe('the hosts in one line, for tables').optional(),
    observedGeneration,
    conditions: conditions('Accepted, HostConflict'),
  })
  .describe('what became of it. Written by the operator')

export const tokenIssuerStatus = z
  .object({ observedGeneration, conditions: conditions('Accepted') })
  .describe('what became of it. Written by the operator')
