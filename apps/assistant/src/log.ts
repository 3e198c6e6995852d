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
