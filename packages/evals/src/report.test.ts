import { describe, expect, it } from 'vitest'
import { type EvalReport, formatReport } from './report.ts'
import type { CaseResult } from './runner.ts'

const answer = (output: string) => ({
  output,
  messages: [],
  toolCalls: [],
  prompts: {},
  fingerprint: '',
  usage: { inputTokens: 0, outputTokens: 0, requests: 1 },
})
const REPORT: EvalReport = {
  suite: 'tone',
  verdict: 'failed',
  reasons: ['pass_rate is below 0.9'],
  notes: ['judge model gpt was not asked: no scorer of this suite needs one'],
  gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0.9, margin: 0.1 }],
  hard: [],
  estimand: 'such-cases',
  trials: 1,
  metrics: {
    pass_rate: 1 / 3,
    cases: 3,
    total: 3,
    passed: 1,
    failed: 1,
    errors: 1,
    not_run: 0,
    'score.filler': 0.5,
  },
  dataset: { name: 'tone', digest: 'abcdef0123456789' },
  promptAlias: ['experiment', 'production'],
  prompts: {
    memory: { version: 2, digest: 'd', alias: 'experiment', cases: 1 },
    base: { version: 1, digest: 'd', alias: 'production', cases: 3 },
  },
  candidates: { memory: { version: 2, cases: 1 } },
  fingerprint: 'f',
  model: 'demo',
  judgeModel: 'gpt',
  run: { id: 'r1', experimentId: '7', experiment: 'promptkeep-evals' },
  cases: [
    {
      case: { id: 'good' },
      status: 'passed',
      scores: [{ name: 'filler', score: 1, reason: 'says none' }],
      result: answer('Morning.\nThe post is in.'),
      trial: 0,
      startedAt: 0,
      durationMs: 5,
    },
    {
      case: { id: 'bad' },
      status: 'failed',
      scores: [{ name: 'filler', score: 0, reason: 'says "certainly!"' }],
      result: answer('Certainly!'),
      trial: 0,
      startedAt: 0,
      durationMs: 5,
    },
    {
      case: { id: 'broken' },
      status: 'error',
      scores: [],
      error: { kind: 'target', message: 'too many turns' },
      trial: 0,
      startedAt: 0,
      durationMs: 5,
    },
  ],
  durationMs: 1234,
}

describe('a report', () => {
  it('says the verdict, why, on what, and which cases did not pass', () => {
    expect(formatReport(REPORT)).toBe(`tone: FAILED
  ! pass_rate is below 0.9
  gate          pass_rate 0.333, must be ≥ 0.9 (missed)
  cases         3: 1 passed, 1 failed, 1 errors in 1.2 s
  about         cases like these 3, once each: they stand for those to come
  score.filler  0.5
  dataset       tone (abcdef012345)
  model         demo
  judge         gpt
  prompts       memory v2 @experiment, 1 case
                base v1 @production, 3 cases
  run           r1 (MLflow experiment promptkeep-evals)
  note: judge model gpt was not asked: no scorer of this suite needs one

  failed  bad     filler 0: says "certainly!"
  error   broken  target error: too many turns
`)
  })

  it('shows every answer when asked to', () => {
    const text = formatReport(REPORT, { verbose: true })
    expect(text).toContain(
      '  passed  good\n      filler 1  says none\n      | Morning.\n      | The post is in.\n',
    )
    expect(text).toContain('      | Certainly!\n')
  })

  it('puts the trials of a case together, the worst case first', () => {
    const [good, bad] = REPORT.cases as [CaseResult, CaseResult]
    const again = (one: CaseResult, trial: number): CaseResult => ({ ...one, trial })
    const better = { ...good, case: { id: 'better' } }
    const cases = [
      ...[better, again({ ...bad, case: { id: 'better' } }, 1), again(better, 2)],
      ...[bad, again(bad, 1), again({ ...good, case: { id: 'bad' } }, 2)],
    ]
    const metrics = { ...REPORT.metrics, cases: 2, total: 6, cost_usd: 0.0123 }
    const text = formatReport({ ...REPORT, trials: 3, estimand: 'these-cases', cases, metrics })
    expect(text).toContain("about         these 2 cases, 3 times each: what chance there is, is the model's")
    expect(text).toContain('1 errors in 1.2 s, $0.012')
    expect(text.split('\n\n')[1]).toBe(
      `  failed    1/3 bad     filler 0: says "certainly!" (2 times)
  failed    2/3 better  filler 0: says "certainly!"
`,
    )
    expect(formatReport({ ...REPORT, trials: 3, cases }, { verbose: true })).toContain(
      '    trial 2: failed\n',
    )
  })

  it('says in words that no candidate reached a suite', () => {
    expect(formatReport({ ...REPORT, verdict: 'not-concerned' })).toMatch(/^tone: NOT CONCERNED\n/)
  })
})
