import { z } from 'zod'
import { isSameJson } from './json-answer.ts'
import { pattern, patternProblem } from './text-match.ts'

/** `{ matches: <regular expression> }` in the place of a value. */
const Matching = z.strictObject({
  matches: z
    .string()
    .min(1)
    .superRefine((text, context) => {
      const message = patternProblem(text)
      if (message) context.addIssue({ code: 'custom', message })
    }),
})
const Anything = z.strictObject({ any: z.literal(true) })

/** Why a wanted value is none, or `undefined`: its regular expressions must be some. */
export function wantedProblem(wanted: unknown): string | undefined {
  if (typeof wanted !== 'object' || wanted === null) return undefined
  if (!Array.isArray(wanted) && Object.keys(wanted).length === 1 && 'matches' in wanted) {
    const read = Matching.safeParse(wanted)
    return read.success ? undefined : read.error.issues[0]?.message
  }
  for (const value of Object.values(wanted)) {
    const problem = wantedProblem(value)
    if (problem) return problem
  }
  return undefined
}

/**
 * Whether a value is what is wanted: `{ matches }` is a regular expression over its text, `{ any: true }` is any value that is
 * there, an object wants its own keys and lets others be, a list wants the same length; everything else must be equal.
 */
export function isWanted(value: unknown, wanted: unknown): boolean {
  const matching = Matching.safeParse(wanted)
  if (matching.success)
    return (
      (typeof value === 'string' || typeof value === 'number') &&
      pattern(matching.data.matches).test(String(value))
    )
  if (Anything.safeParse(wanted).success) return value !== undefined && value !== null
  if (typeof wanted !== 'object' || wanted === null) return isSameJson(value, wanted)
  if (typeof value !== 'object' || value === null || Array.isArray(value) !== Array.isArray(wanted))
    return false
  if (Array.isArray(wanted) && wanted.length !== (value as unknown[]).length) return false
  return Object.entries(wanted).every(
    ([key, one]) => Object.hasOwn(value, key) && isWanted((value as Record<string, unknown>)[key], one),
  )
}
