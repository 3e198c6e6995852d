import { z } from 'zod'
import type { ToolCall } from '../target.ts'
import { defineScorer, type Judgement } from './define-scorer.ts'
import { shown } from './json-answer.ts'
import { isWanted, wantedProblem } from './value-match.ts'

/** `subset`: what is expected was called, more may have been. An empty list expects no call in both. */
const Match = z.enum(['exact', 'subset'])
type Match = z.infer<typeof Match>

const Called = z.string().regex(/^[^/\s]+(\/[^/\s]+)?$/, 'must be tool or agent/tool')
/** A call that is looked at closely. */
const Expectation = z.strictObject({
  tool: Called,
  /** What its arguments must hold; others may be there too. */
  arguments: z
    .record(z.string(), z.unknown())
    .superRefine((wanted, context) => {
      const message = wantedProblem(wanted)
      if (message) context.addIssue({ code: 'custom', message })
    })
    .optional(),
  /** How often, exactly; where the order counts, that many in a row of what is expected. */
  times: z.int().min(0).max(1_000).optional(),
})
type Expectation = z.infer<typeof Expectation>

/**
 * Which tools were called, at any depth: `query_memory_tool`, or `MemoryAgent/query_memory_tool` when it matters which agent
 * did; an entry may say the arguments and how often, too. `in_order`: one after the other, whatever was called in between.
 */
export const toolCalls = defineScorer({
  kind: 'tool_calls',
  options: z.object({ match: Match.default('subset'), in_order: z.boolean().default(false) }),
  expects: { key: 'tool_calls', schema: z.array(z.union([Called, Expectation])) },
  problem: ({ in_order }, expected) =>
    in_order && expected.some((entry) => typeof entry !== 'string' && entry.times === 0)
      ? 'must not have times: 0 where the order counts: what is not called has no place in it'
      : undefined,
  check({ match, in_order }, expected) {
    if (!expected) return undefined
    const wanted = expected.map((entry): Expectation => (typeof entry === 'string' ? { tool: entry } : entry))
    const isPlain = expected.every((entry) => typeof entry === 'string')
    return ({ toolCalls: calls }) => {
      if (isPlain && (!in_order || wanted.length === 0))
        return compare(
          wanted.map(({ tool }) => tool),
          calls.map(({ agent, name }) => [name, `${agent}/${name}`]),
          match,
        )
      return in_order ? inOrder(wanted, calls, match) : closely(wanted, calls, match)
    }
  },
})

const isCallOf = ({ agent, name }: ToolCall, { tool }: Expectation): boolean =>
  name === tool || `${agent}/${name}` === tool
const fits = (call: ToolCall, entry: Expectation): boolean =>
  isCallOf(call, entry) && (entry.arguments === undefined || isWanted(call.arguments, entry.arguments))

function whyMissing(entry: Expectation, calls: readonly ToolCall[]): string | undefined {
  const found = calls.filter((call) => fits(call, entry)).length
  const { tool, times } = entry
  if (times === undefined ? found > 0 : found === times) return undefined
  const near = calls.find((call) => isCallOf(call, entry))
  if (times !== undefined) return `${tool} ${found} times, not ${times}`
  return near ? `${tool} with ${shown(near.arguments)}` : `missing ${tool}`
}

function closely(wanted: readonly Expectation[], calls: readonly ToolCall[], match: Match): Judgement {
  const missing = wanted.flatMap((entry) => whyMissing(entry, calls) ?? [])
  const extra =
    match === 'subset'
      ? []
      : calls.filter((call) => !wanted.some((entry) => fits(call, entry))).map(({ name }) => name)
  return judged(wanted, missing, extra)
}

function inOrder(entries: readonly Expectation[], calls: readonly ToolCall[], match: Match): Judgement {
  let from = 0
  const missing: string[] = []
  const wanted = entries.flatMap(({ times = 1, ...entry }) => Array.from({ length: times }, () => entry))
  for (const entry of wanted) {
    const at = calls.findIndex((call, index) => index >= from && fits(call, entry))
    if (at === -1)
      missing.push(
        calls.some((call) => fits(call, entry))
          ? `${entry.tool} too early`
          : (whyMissing(entry, calls) ?? `missing ${entry.tool}`),
      )
    else from = at + 1
  }
  const extra =
    match === 'exact' && calls.length > wanted.length ? [`${calls.length - wanted.length} more calls`] : []
  return judged(wanted, missing, extra)
}

function judged(
  wanted: readonly Expectation[],
  missing: readonly string[],
  extra: readonly string[],
): Judgement {
  if (missing.length === 0 && extra.length === 0)
    return { score: 1, reason: `called ${wanted.map(({ tool }) => tool).join(', ') || 'none'}, as expected` }
  const more = extra.length > 0 ? [`not expected: ${[...new Set(extra)].join(', ')}`] : []
  return {
    score: (wanted.length - missing.length) / (wanted.length + new Set(extra).size),
    reason: [...missing, ...more].join('; '),
  }
}

/**
 * Which specialists the work was handed to, at any depth. Specialists are tools whose names fit `tool`, where
 * `*` stands for the specialist: with `ask_*_agent`, a call of `ask_memory_agent` is a delegation to `memory`.
 */
export const delegation = defineScorer({
  kind: 'delegation',
  options: z.object({
    match: Match.default('exact'),
    tool: z
      .string()
      .regex(/^[^*]*\*[^*]*$/, 'must hold one *, which stands for the specialist')
      .default('ask_*_agent'),
  }),
  expects: { key: 'delegations', schema: z.array(z.string().min(1)) },
  check({ match, tool }, expected) {
    if (!expected) return undefined
    const [before = '', after = ''] = tool.split('*')
    const specialists = ({ name }: ToolCall): string[][] =>
      name.startsWith(before) && name.endsWith(after) && name.length > before.length + after.length
        ? [[name.slice(before.length, name.length - after.length)]]
        : []
    return (answer) => compare(expected, answer.toolCalls.flatMap(specialists), match)
  },
})

/** @param calls - For each call the names it may be expected by, the shortest first. */
function compare(expected: readonly string[], calls: readonly string[][], match: Match): Judgement {
  const wanted = [...new Set(expected)]
  const missing = wanted.filter((name) => !calls.some((names) => names.includes(name)))
  const unexpected = calls.filter((names) => !names.some((name) => wanted.includes(name)))
  const extra =
    match === 'subset' && wanted.length > 0 ? [] : [...new Set(unexpected.flatMap(([name = '']) => name))]
  if (missing.length === 0 && extra.length === 0) {
    return { score: 1, reason: wanted.length === 0 ? 'none, as expected' : `called ${wanted.join(', ')}` }
  }
  const reasons = [
    ...(missing.length > 0 ? [`missing ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`not expected: ${extra.join(', ')}`] : []),
  ]
  return {
    score: (wanted.length - missing.length) / (wanted.length + extra.length),
    reason: reasons.join('; '),
  }
}
