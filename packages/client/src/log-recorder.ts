import type { Logger } from './log.ts'

export interface LogLine {
  readonly level: keyof Logger
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface LogRecorder {
  readonly logger: Logger
  /** Everything that was logged, in order. */
  readonly lines: readonly LogLine[]
  /** The lines of one event. */
  of(event: string): LogLine[]
}

/**
 * A logger for tests: prints nothing, forgets nothing.
 * @param next - Hears every line too.
 */
export function createLogRecorder(next?: Logger): LogRecorder {
  const lines: LogLine[] = []
  const record = (level: keyof Logger) => (fields: object, event: string) => {
    lines.push({ level, event, fields: fields as LogLine['fields'] })
    next?.[level](fields, event)
  }
  return {
    logger: { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') },
    lines,
    of: (event) => lines.filter((line) => line.event === event),
  }
}
