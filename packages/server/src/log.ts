import type { Logger } from '@promptkeep/client/protocol'
import { type DestinationStream, type LevelWithSilent, pino } from 'pino'

/** One JSON object a line, to standard output unless told otherwise; the event's name stands under `event`. */
export const createLog = (level: LevelWithSilent, destination?: DestinationStream): Logger =>
  pino({ level, base: null, messageKey: 'event', timestamp: pino.stdTimeFunctions.isoTime }, destination)
