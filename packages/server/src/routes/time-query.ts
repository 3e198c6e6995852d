import { z } from '@hono/zod-openapi'
import { TIME_PATTERN } from './own-fields.ts'

export const timeForms =
  'a time as ISO 8601 with its zone (2026-11-22T14:03:00Z or 2026-11-22T14:03+01:00; a day alone is from its first ' +
  'moment in UTC), or milliseconds since the epoch'

const ISO = /^(\d{4}-(\d\d)-(\d\d))(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/i

/** A time of a query as milliseconds since the epoch. Without a zone it would mean another moment on each machine. */
export const timeQuery = z
  .string(timeForms)
  .transform((given, context) => {
    const time = readTime(given)
    if (time !== undefined) return time
    context.addIssue({ code: 'custom', message: timeForms })
    return z.NEVER
  })
  .openapi({
    type: 'string',
    description: timeForms,
    pattern: TIME_PATTERN,
    examples: ['2026-11-22T14:03:00Z', '1795356180000'],
  })

/** @returns `undefined` for what is no time */
export function readTime(given: string): number | undefined {
  if (/^\d{1,15}$/.test(given)) return Number(given)
  // In a query a plus sign stands for a blank.
  const text = given.replace(/ (?=\d\d:\d\d$)/, '+')
  const [, day = ''] = ISO.exec(text) ?? []
  const time = Date.parse(text)
  // A day that the month does not have is taken for one of the next.
  const isDay = !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day)
  return isDay && time >= 0 ? time : undefined
}
