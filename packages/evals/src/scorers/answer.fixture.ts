import type { ScorerArgs } from './scorer.ts'

/** What a scorer is told of an answer, for tests: only what matters needs to be given. */
export const answer = (given: Partial<ScorerArgs>): ScorerArgs => ({
  input: '',
  output: '',
  messages: [],
  toolCalls: [],
  latencyMs: 0,
  usage: { inputTokens: 0, outputTokens: 0, requests: 0 },
  ...given,
})
