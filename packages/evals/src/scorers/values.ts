import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { defineScorer } from './define-scorer.ts'
import { guardedPattern } from './guarded-pattern.ts'
import { isSameJson, jsonOf, shown, valueAt } from './json-answer.ts'
import { pattern, patternProblem } from './text-match.ts'
import { isWanted, wantedProblem } from './value-match.ts'

/** The answer is the expected text; or the expected JSON, when that is no text. */
export const equals = defineScorer({
  kind: 'equals',
  options: z.object({
    trim: z.boolean().default(true),
    ignore_case: z.boolean().default(false),
    ignore_spaces: z.boolean().default(false),
  }),
  expects: { key: 'equals', schema: z.json() },
  check({ trim, ignore_case, ignore_spaces }, expected) {
    if (expected === undefined) return undefined
    const plain = (given: string): string => {
      const text = given.normalize()
      const trimmed = trim ? text.trim() : text
      const spaced = ignore_spaces ? trimmed.replace(/\s+/g, ' ') : trimmed
      return ignore_case ? spaced.toLowerCase() : spaced
    }
    return ({ output }) => {
      if (typeof expected === 'string')
        return plain(output) === plain(expected)
          ? { score: 1, reason: 'is what was expected' }
          : { score: 0, reason: `is ${shown(output.trim())}, not ${shown(expected)}` }
      const found = jsonOf(output)
      if (!found) return { score: 0, reason: 'is not JSON' }
      return isSameJson(found.value, expected)
        ? { score: 1, reason: 'is what was expected' }
        : { score: 0, reason: `is ${shown(found.value)}, not ${shown(expected)}` }
    }
  },
})

const Pattern = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const message = patternProblem(text)
    if (message) context.addIssue({ code: 'custom', message })
  })

/** The answer matches every regular expression; the score is the share that it matches. */
export const regex = defineScorer({
  kind: 'regex',
  options: z.object({ patterns: z.array(Pattern).min(1).optional() }),
  expects: { key: 'regex', schema: z.array(Pattern).min(1) },
  readsCase: ({ patterns }) => !patterns,
  check({ patterns }, expected) {
    const wanted = (patterns ?? expected)?.map(pattern)
    if (!wanted) return undefined
    return ({ output }) => {
      const missing = wanted.filter((one) => !one.test(output))
      const names = (of: typeof wanted) => of.map(({ label }) => label).join(', ')
      return {
        score: (wanted.length - missing.length) / wanted.length,
        reason: missing.length === 0 ? `matches ${names(wanted)}` : `does not match ${names(missing)}`,
      }
    }
  },
})

const Schema = z.record(z.string(), z.unknown())
const Fields = z.record(z.string(), z.unknown()).superRefine((fields, context) => {
  const message = wantedProblem(fields)
  if (message) context.addIssue({ code: 'custom', message })
})

/** The answer is JSON, fits a JSON Schema (draft 2020-12), and has these values at these paths. */
export const json = defineScorer({
  kind: 'json',
  options: z.object({
    schema: Schema.superRefine((schema, context) => {
      const message = schemaProblem(schema)
      if (message) context.addIssue({ code: 'custom', message })
    }).optional(),
  }),
  expects: { key: 'json', schema: Fields },
  check({ schema }, expected = {}) {
    const validate = schema && compile(schema)
    const fields = Object.entries(expected)
    return ({ output }) => {
      const found = jsonOf(output)
      if (!found) return { score: 0, reason: 'is not JSON' }
      if (validate && !validate(found.value)) {
        const [first] = validate.errors ?? []
        return {
          score: 0,
          reason: `does not fit the schema: ${first?.instancePath || 'it'} ${first?.message}`,
        }
      }
      const wrong = fields.filter(([path, wanted]) => !isWanted(valueAt(found.value, path), wanted))
      if (wrong.length === 0) return { score: 1, reason: 'is the JSON that was expected' }
      const said = wrong.map(([path]) => `${path} is ${shown(valueAt(found.value, path))}`).join('; ')
      return { score: (fields.length - wrong.length) / fields.length, reason: said }
    }
  },
})

/** A keyword that is none would check nothing: it is refused. `format` says what a text is meant to be, and checks nothing. */
function compile(schema: Readonly<Record<string, unknown>>): ValidateFunction {
  const strict = {
    strictSchema: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
  } as const
  const ajv = new Ajv2020({ ...strict, validateFormats: false, code: { regExp: SCHEMA_PATTERN } })
  const validate = ajv.compile(schema)
  if ('$async' in validate) throw new Error('$async is nothing that an answer can be checked by')
  return validate
}

/** Ajv tells patterns apart by their text; it asks for `code` only when it writes files. */
const SCHEMA_PATTERN = Object.assign(
  (source: string, flags: string) => ({
    ...guardedPattern(source, flags),
    toString: () => `/${source}/${flags}`,
  }),
  { code: 'guardedPattern' },
)

function schemaProblem(schema: Readonly<Record<string, unknown>>): string | undefined {
  try {
    compile(schema)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** How near the answer is to the expected text: by edits of letters, or by words that both have. 1 at `at_least` or above. */
export const similarity = defineScorer({
  kind: 'similarity',
  options: z.object({
    by: z.enum(['letters', 'words']).default('letters'),
    at_least: z.number().min(0).max(1).optional(),
  }),
  expects: { key: 'similarity', schema: z.string() },
  check({ by, at_least: bar }, expected) {
    if (expected === undefined) return undefined
    return ({ output }) => {
      const near = by === 'letters' ? byLetters(output, expected) : byWords(output, expected)
      const rounded = Math.round(near * 1000) / 1000
      if (bar === undefined) return { score: near, reason: `${rounded} like the expected text` }
      return near >= bar
        ? { score: 1, reason: `${rounded} like the expected text, at least ${bar}` }
        : { score: near, reason: `${rounded} like the expected text, less than ${bar}` }
    }
  },
})

function byLetters(output: string, expected: string): number {
  const [one, other] = [output, expected].map((text) => text.normalize().trim()) as [string, string]
  return one === other ? 1 : 1 - distance(one, other) / Math.max(one.length, other.length)
}

/** Dice's coefficient over the sets of words. */
function byWords(one: string, other: string): number {
  const [a, b] = [one, other].map(
    (text) =>
      new Set(
        text
          .normalize('NFKC')
          .toLowerCase()
          .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [],
      ),
  )
  const [ours, theirs] = [a as Set<string>, b as Set<string>]
  if (ours.size + theirs.size === 0) return 1
  return (2 * [...ours].filter((word) => theirs.has(word)).length) / (ours.size + theirs.size)
}
