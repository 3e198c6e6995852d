import type { Logger } from '@promptkeep/client'
import { type DestinationStream, type LevelWithSilent, pino } from 'pino'

/**
 * One JSON object a line on standard output, the event's name under `event`. Callers log neither user text nor prompt
 * text nor secrets; keys that usually hold some are struck out all the same.
 */
export const createLog = (level: LevelWithSilent, destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
    },
    destination,
  )

const SECRET_KEYS = [
  'apiKey',
  'api_key',
  'authorization',
  'headers',
  'password',
  'secret',
  'token',
  'requestBody',
]

/**
 * An error without its message, which may quote what a user or a model said: its name and where it came from are left.
 */
export function withoutText(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return { name: error.name, stack: frames.join('\n') }
}
