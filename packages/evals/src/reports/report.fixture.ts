import type { EvalReport } from '../report.ts'
import type { CaseResult } from '../runner.ts'

/** A trial of a case, passed unless it is said otherwise. */
export const trialOf = (
  id: string,
  more: Partial<CaseResult> & { readonly output?: string } = {},
): CaseResult => {
  const { output = 'An answer.', ...rest } = more
  return {
    case: { id, input: 'A question?', tags: ['small'] },
    trial: 0,
    status: 'passed',
    scores: [{ name: 'contains', score: 1, reason: 'all are there' }],
    result: {
      output,
      messages: [],
      toolCalls: [],
      prompts: {},
      fingerprint: 'f',
      usage: { inputTokens: 1, outputTokens: 1, requests: 1 },
    },
    startedAt: 1_700_000_000_000,
    durationMs: 1500,
    ...rest,
  }
}

export const failedTrial = (
  id: string,
  reason: string,
  more: Parameters<typeof trialOf>[1] = {},
): CaseResult => trialOf(id, { status: 'failed', scores: [{ name: 'contains', score: 0, reason }], ...more })

/** A run that passed, but for what is said otherwise. */
export const reportOf = (more: Partial<EvalReport> = {}): EvalReport => ({
  suite: 'tone',
  verdict: 'passed',
  reasons: [],
  notes: [],
  gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0.9, margin: 0.1 }],
  hard: [],
  estimand: 'such-cases',
  trials: 1,
  metrics: { pass_rate: 1, cases: 1, total: 1, passed: 1, failed: 0, errors: 0, not_run: 0 },
  dataset: { name: 'tone', digest: 'abcdef0123456789' },
  promptAlias: ['experiment', 'production'],
  prompts: { base: { version: 3, digest: 'd'.repeat(64), alias: 'experiment', cases: 1 } },
  candidates: { base: { version: 3, cases: 1 } },
  fingerprint: 'f'.repeat(64),
  model: 'gpt-x',
  run: { id: 'run-1', experimentId: '1', experiment: 'promptkeep-evals' },
  cases: [trialOf('hello')],
  durationMs: 1500,
  ...more,
})
