/** Options of everything that listens, and the ports that several parts have in common. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { wholeNumber } from './config.ts'
import { LOG_LEVELS } from './log.ts'
import { tlsProblems } from './tls-files.ts'

/** The ports of a check before `--port-offset` is added. */
export const CHECK_PORTS = { check: 9000, grpc: 9001, metrics: 9090 } as const

const file = z.string().min(1).optional()

export const LISTENING = {
  portOffset: wholeNumber(0, 50_000).default(0),
  listen: z.string().refine(isListenAddress, { error: 'an IP address, or localhost' }).default('127.0.0.1'),
  tlsCert: file,
  tlsKey: file,
  clientCa: file,
  trustedHops: wholeNumber(0, 16).default(0),
  logLevel: z.enum(LOG_LEVELS, { error: `one of ${LOG_LEVELS.join(', ')}` }).default('info'),
}

const TLS_OPTIONS = ['tlsCert', 'tlsKey', 'clientCa'] as const

/** Also asks whether the certificate files can be used, even where other options are wrong: every problem is named at once. */
export function withUsableTls<Schema extends z.ZodObject>(schema: Schema): Schema {
  return TLS_OPTIONS.reduce<Schema>((checked, option) => {
    const problemIn = (value: unknown) => tlsProblems(filesIn(value)).find((one) => one.option === option)?.problem
    return checked.refine((value) => problemIn(value) === undefined, {
      when: () => true,
      path: [option],
      error: ({ input }) => problemIn(input),
    })
  }, schema)
}

const loose = z.object({
  tlsCert: z.string().optional().catch(undefined),
  tlsKey: z.string().optional().catch(undefined),
  clientCa: z.string().optional().catch(undefined),
})

function filesIn(value: unknown): z.output<typeof loose> {
  const read = loose.safeParse(value)
  return read.success ? read.data : {}
}

function isListenAddress(text: string): boolean {
  return text === 'localhost' || isIP(text) !== 0
}
