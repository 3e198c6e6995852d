import { z } from 'zod'
import { defineScorer } from './define-scorer.ts'
import { isPhrase, pattern, patternProblem, phrase, type TextMatch } from './text-match.ts'

const Phrases = z.array(z.string().trim().min(1).refine(isPhrase, 'must have a visible sign in it')).min(1)
const Pattern = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const message = patternProblem(text)
    if (message) context.addIssue({ code: 'custom', message })
  })
const TextOptions = z.object({ phrases: Phrases.optional(), patterns: z.array(Pattern).min(1).optional() })
type TextOptions = z.infer<typeof TextOptions>

/** A suite's own phrases are asked of every case; without any, each case brings its own. */
const bringsNone = ({ phrases, patterns }: TextOptions): boolean => !phrases && !patterns

const matches = (
  { phrases = [], patterns = [] }: TextOptions,
  expected: readonly string[] = [],
): TextMatch[] => [...[...phrases, ...expected].map(phrase), ...patterns.map(pattern)]

const labels = (found: readonly TextMatch[]): string => found.map(({ label }) => label).join(', ')

/** The answer says all of the phrases (or one of them); the score is the share that it says. */
export const contains = defineScorer({
  kind: 'contains',
  options: TextOptions.extend({ match: z.enum(['all', 'any']).default('all') }),
  expects: { key: 'contains', schema: Phrases },
  readsCase: (options) => bringsNone(options),
  check(options, expected) {
    const wanted = matches(options, expected)
    if (wanted.length === 0) return undefined
    return ({ output }) => {
      const missing = wanted.filter((match) => !match.test(output))
      const found = wanted.length - missing.length
      if (missing.length === 0) return { score: 1, reason: `says ${labels(wanted)}` }
      if (options.match === 'any') {
        return found > 0
          ? { score: 1, reason: `says ${labels(wanted.filter((match) => !missing.includes(match)))}` }
          : { score: 0, reason: `says none of ${labels(missing)}` }
      }
      return { score: found / wanted.length, reason: `does not say ${labels(missing)}` }
    }
  },
})

/** The answer says none of the phrases. */
export const excludes = defineScorer({
  kind: 'excludes',
  options: TextOptions,
  expects: { key: 'excludes', schema: Phrases },
  readsCase: (options) => bringsNone(options),
  check(options, expected) {
    const forbidden = matches(options, expected)
    if (forbidden.length === 0) return undefined
    return ({ output }) => {
      const said = forbidden.filter((match) => match.test(output))
      return said.length === 0
        ? { score: 1, reason: `says none of ${forbidden.length} forbidden` }
        : { score: 0, reason: `says ${labels(said)}` }
    }
  },
})

const count = z.int().min(0)
const Limits = z.strictObject({
  min_characters: count.optional(),
  max_characters: count.optional(),
  max_words: count.optional(),
})

/** The answer is as long as it should be. A case's own limits replace those of the suite, key by key. */
export const length = defineScorer({
  kind: 'length',
  options: Limits,
  expects: { key: 'length', schema: Limits },
  check(options, expected) {
    const limits = { ...options, ...expected }
    const { min_characters: least = 0, max_characters: most = Infinity, max_words: words = Infinity } = limits
    if (least === 0 && most === Infinity && words === Infinity) return undefined
    return ({ output }) => {
      const text = output.trim()
      const characters = [...text].length
      const counted = text === '' ? 0 : text.split(/\s+/).length
      if (characters < least) return { score: 0, reason: `${characters} characters, fewer than ${least}` }
      if (characters > most) return { score: 0, reason: `${characters} characters, more than ${most}` }
      if (counted > words) return { score: 0, reason: `${counted} words, more than ${words}` }
      return { score: 1, reason: `${characters} characters, ${counted} words` }
    }
  },
})
