/** pino with our redaction: a credential has no way into a log line, and this is only the net below that. */
import { type DestinationStream, type Logger, pino } from 'pino'
import { mask } from './mask.ts'

export type Log = Logger

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** JSON lines with the fields of the glossary; anything in the form of a credential keeps its key ID only. */
export function makeLog(level: LogLevel, to: DestinationStream): Log {
  const masked: DestinationStream = { write: (line) => to.write(mask(line)) }
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    masked,
  )
}
