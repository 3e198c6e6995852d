import { Cron } from 'croner'
import { z } from 'zod'
import { defineScorer } from './define-scorer.ts'
import { shown, valueAt } from './json-answer.ts'
import type { ScorerArgs } from './scorer.ts'

const Expression = z
  .string()
  .trim()
  .superRefine((text, context) => {
    const message = cronProblem(text)
    if (message) context.addIssue({ code: 'custom', message: `must be a cron expression: ${message}` })
  })

/**
 * The schedule that was made fires when the expected one does: the next fires from one moment on are the same, however the two
 * are written. The expression is an argument of a tool's call, or else stands in the answer. `null` expects none.
 */
export const cron = defineScorer({
  kind: 'cron',
  options: z.object({
    fires: z.int().min(1).max(1_000).default(5),
    from: z.iso.datetime({ offset: true }).default('2026-01-01T00:00:00Z'),
    time_zone: z
      .string()
      .default('UTC')
      .superRefine((zone, context) => {
        const message = cronProblem('0 0 * * *', zone)
        if (message)
          context.addIssue({ code: 'custom', message: `must be a time zone, such as Europe/Berlin` })
      }),
    tool: z.string().min(1).optional(),
    argument: z.string().min(1).default('cron'),
  }),
  expects: { key: 'cron', schema: Expression.nullable() },
  check({ fires, from, time_zone, tool, argument }, expected) {
    if (expected === undefined) return undefined
    const next = (text: string) =>
      new Cron(text, { timezone: time_zone, paused: true })
        .nextRuns(fires, new Date(from))
        .map((at) => at.getTime())
    return (answer) => {
      const found = tool === undefined ? inText(answer) : inCalls(answer, tool, argument)
      if (found === undefined)
        return expected === null
          ? { score: 1, reason: 'no schedule, as expected' }
          : { score: 0, reason: `no schedule; expected ${expected}` }
      if (expected === null) return { score: 0, reason: `${shown(found)}, and no schedule was expected` }
      const problem = cronProblem(found)
      if (problem) return { score: 0, reason: `${shown(found)} is no cron expression` }
      const [ours, theirs] = [next(found), next(expected)]
      const at = theirs.findIndex((time, i) => ours[i] !== time)
      if (at === -1 && ours.length === theirs.length)
        return { score: 1, reason: `${found} fires as ${expected} does, ${fires} times from ${from}` }
      const when = (time: number | undefined) => (time === undefined ? 'never' : new Date(time).toISOString())
      return {
        score: 0,
        reason: `${found} fires at ${when(ours[at])}, and ${expected} at ${when(theirs[at])}`,
      }
    }
  },
})

function inCalls({ toolCalls }: ScorerArgs, tool: string, argument: string): string | undefined {
  const call = toolCalls.findLast(({ agent, name }) => name === tool || `${agent}/${name}` === tool)
  const value = call && valueAt(call.arguments, argument)
  return typeof value === 'string' ? value.trim() : undefined
}

/** Words that can be fields of a cron expression: digits, signs, and the names of days and months. */
const FIELD = /^(?:[\d*?,/#-]|L|W|[A-Z]{3})+$/i

/** In backquotes, or six or five such words in a row. */
function inText({ output }: ScorerArgs): string | undefined {
  const quoted = [...output.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text.trim())
  const words = output.split(/\s+/).map((word) => word.replace(/[.;:!]+$/, ''))
  const rows = [6, 5].flatMap((many) =>
    words
      .map((_, from) => words.slice(from, from + many))
      .filter((row) => row.length === many && row.every((word) => FIELD.test(word))),
  )
  return [...quoted, ...rows.map((row) => row.join(' '))].find(
    (text) => /[\d*]/.test(text) && !cronProblem(text),
  )
}

function cronProblem(text: string, timezone = 'UTC'): string | undefined {
  if (!/^\S+(\s+\S+){4,5}$/.test(text)) return 'five fields, or six with seconds first'
  try {
    new Cron(text, { timezone, paused: true }).nextRun()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
