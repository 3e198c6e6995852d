import { z } from 'zod'
import type { ToolCall } from '../target.ts'
import { defineScorer, type Judgement } from './define-scorer.ts'

/** `subset`: what is expected was called, more may have been. An empty list expects no call in both. */
const Match = z.enum(['exact', 'subset'])
type Match = z.infer<typeof Match>

/**
 * Which tools were called, at any depth: `query_memory_tool`, or `MemoryAgent/query_memory_tool` when it
 * matters which agent did. How often and in which order does not count.
 */
export const toolCalls = defineScorer({
  kind: 'tool_calls',
  options: z.object({ match: Match.default('subset') }),
  expects: {
    key: 'tool_calls',
    schema: z.array(z.string().regex(/^[^/\s]+(\/[^/\s]+)?$/, 'must be tool or agent/tool')),
  },
  check({ match }, expected) {
    if (!expected) return undefined
    return (answer) =>
      compare(
        expected,
        answer.toolCalls.map(({ agent, name }) => [name, `${agent}/${name}`]),
        match,
      )
  },
})

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
