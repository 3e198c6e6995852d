import { z } from 'zod'
import type { ToolCall } from '../target.ts'
import { defineScorer } from './define-scorer.ts'
import { jsonOf, shown, valueAt } from './json-answer.ts'
import type { ScorerArgs } from './scorer.ts'
import { isPhrase, phrase } from './text-match.ts'

const Words = z.string().trim().min(1).refine(isPhrase, 'must have a visible sign in it')
const Item = z.union([Words, z.array(Words).min(1)])
const Expected = z.strictObject({
  /** A list in an item: all of these words must be in one and the same. */
  items: z.array(Item),
  forbidden: z.array(Item).optional(),
})

/**
 * How well the items that were found are those that were expected, by words that each must hold. Items come from the calls
 * of a tool (one each, or one for each entry of a list), from an answer in JSON, or from the lines of an answer.
 *
 * `measure`: `precision` is the share of what was found that was expected (1 when nothing was found: nothing was wrong),
 * `recall` the share of what was expected that was found (1 when nothing was expected), `f1` their harmonic mean, `clean` 1
 * when nothing forbidden was found.
 */
export const extraction = defineScorer({
  kind: 'extraction',
  options: z.object({
    measure: z.enum(['precision', 'recall', 'f1', 'clean']).default('f1'),
    from: z.enum(['tool', 'json', 'lines']).default('lines'),
    tool: z.string().min(1).optional(),
    argument: z.string().min(1).optional(),
    path: z.string().min(1).optional(),
  }),
  expects: { key: 'extraction', schema: Expected },
  check({ measure, from, tool, argument, path }, expected) {
    if (!expected || (measure === 'clean' && !expected.forbidden)) return undefined
    return (answer) => {
      const found =
        from === 'tool'
          ? fromTools(answer.toolCalls, tool, argument)
          : from === 'json'
            ? fromJson(answer, path)
            : fromLines(answer)
      if (!found) return { score: 0, reason: 'is not JSON' }
      if (measure === 'clean') {
        const bad = found.filter((text) => (expected.forbidden ?? []).some((item) => holds(text, item)))
        return bad.length === 0
          ? { score: 1, reason: `nothing forbidden in ${found.length} found` }
          : { score: 0, reason: `found ${bad.map(shown).join(', ')}` }
      }
      const right = found.filter((text) => expected.items.some((item) => holds(text, item)))
      const met = expected.items.filter((item) => found.some((text) => holds(text, item)))
      const precision = found.length === 0 ? 1 : right.length / found.length
      const recall = expected.items.length === 0 ? 1 : met.length / expected.items.length
      const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall)
      const missing = expected.items.filter((item) => !met.includes(item)).map(labelOf)
      const extra = found.filter((text) => !right.includes(text)).map(shown)
      const reasons = [
        ...(missing.length > 0 ? [`missing ${missing.join(', ')}`] : []),
        ...(extra.length > 0 ? [`not expected: ${extra.join(', ')}`] : []),
      ]
      return {
        score: { precision, recall, f1 }[measure],
        reason: reasons.length > 0 ? reasons.join('; ') : `${found.length} found, as expected`,
      }
    }
  },
})

type Item = z.infer<typeof Item>

const words = (item: Item): readonly string[] => (typeof item === 'string' ? [item] : item)
const holds = (text: string, item: Item): boolean => words(item).every((word) => phrase(word).test(text))
const labelOf = (item: Item): string => words(item).map(shown).join(' + ')

function fromTools(
  calls: readonly ToolCall[],
  tool: string | undefined,
  argument: string | undefined,
): string[] {
  const asked = calls.filter(
    ({ agent, name }) => tool === undefined || name === tool || `${agent}/${name}` === tool,
  )
  return asked.flatMap((call) =>
    textsOf(argument === undefined ? call.arguments : valueAt(call.arguments, argument)),
  )
}

/** `undefined`: the answer cannot be read, which is not to have found nothing. */
function fromJson({ output }: ScorerArgs, path: string | undefined): string[] | undefined {
  const found = jsonOf(output)
  return found && textsOf(path === undefined ? found.value : valueAt(found.value, path))
}

const fromLines = ({ output }: ScorerArgs): string[] =>
  output
    .split('\n')
    .map((line) => line.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, '').trim())
    .filter((line) => line !== '')

/** A list is its entries; anything else is one item. */
function textsOf(value: unknown): string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value.flatMap(textsOf)
  return [typeof value === 'string' ? value : JSON.stringify(value)]
}
