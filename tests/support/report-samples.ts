import type { EvalReport, ReportInput } from '@promptkeep/evals'
import type { GateAnswer } from '../../packages/evals/src/paired.ts'
import { failedTrial, reportOf, trialOf } from '../../packages/evals/src/reports/report.fixture.ts'
import type { CaseResult } from '../../packages/evals/src/runner.ts'

/** What a model, a user or a name could bring into a page. */
export const HOSTILE: readonly string[] = [
  '<script>globalThis.hacked = 1; alert(1)</script>',
  '"><img src=x onerror="globalThis.hacked=1">',
  "'><svg onload=globalThis.hacked=1>",
  '</title><script>globalThis.hacked=1</script>',
  '</pre></details></section></main><iframe src="https://evil.example"></iframe>',
  '<base href="https://evil.example/"><link rel=stylesheet href="//evil.example/x.css">',
  '<a href="javascript:globalThis.hacked=1">click</a>',
  '\u202e\u0000\u001b[31m',
  '{{constructor}}',
]

/** The same text in every place that one could come from. */
export function hostileReport(text: string): EvalReport {
  const bad: CaseResult = failedTrial(text, text, {
    case: { id: text, input: text, tags: [text], expected: { contains: [text] } },
    scores: [{ name: text, score: 0, reason: text }],
  })
  const result = {
    ...(bad.result as NonNullable<CaseResult['result']>),
    output: text,
    toolCalls: [{ agent: text, name: text, arguments: { [text]: text }, result: text }],
  }
  return reportOf({
    suite: text,
    verdict: 'invalid',
    reasons: [text],
    notes: [text],
    gates: [{ metric: text, direction: 'higher', threshold: 0.9, margin: 0.1 }],
    metrics: { [`score.${text}`]: 0.5, total: 1 },
    dataset: { name: text, digest: text },
    prompts: { [text]: { version: 1, digest: text, alias: text, cases: 1 } },
    model: text,
    judgeModel: text,
    run: { id: text, experimentId: text, experiment: text },
    cases: [{ ...bad, result, error: { kind: 'target', message: text } }],
  })
}

const called = (one: CaseResult): CaseResult => ({
  ...one,
  result: {
    ...(one.result as NonNullable<CaseResult['result']>),
    toolCalls: [
      {
        agent: 'Assistant',
        name: 'ask_memory_agent',
        arguments: { input: 'results on Thursday' },
        result: 'saved',
      },
      {
        agent: 'Memory',
        name: 'save_memory_tool',
        arguments: { content: 'results on Thursday' },
        result: { id: 3 },
      },
    ],
  },
})

const tagged = (id: string, tags: readonly string[], one: CaseResult, trial: number): CaseResult => ({
  ...one,
  trial,
  case: { id, input: "My father's test results come on Thursday and I can't think of anything else.", tags },
})

/** Two suites, a comparison and a course, as a real evening of evals leaves them. */
export function sampleInput(): ReportInput {
  const cases = [
    tagged('plain-hello', ['greeting'], trialOf('x', { output: 'Morning. The post is in.' }), 0),
    tagged('plain-hello', ['greeting'], trialOf('x', { output: 'Good morning.' }), 1),
    tagged(
      'a-worry',
      ['care', 'temptation'],
      called(trialOf('x', { output: 'That is a long time to wait. Shall I keep Thursday free?' })),
      0,
    ),
    tagged(
      'a-worry',
      ['care', 'temptation'],
      called(failedTrial('x', 'says "do not worry"', { output: 'Do not worry, it will be fine!' })),
      1,
    ),
    tagged('one-fact', ['logistics'], trialOf('x', { output: 'Six, from boiling.' }), 0),
    tagged(
      'one-fact',
      ['logistics'],
      failedTrial('x', '212 words, and at most 160', { output: `Six. ${'And more. '.repeat(60)}` }),
      1,
    ),
    tagged(
      'a-toast',
      ['creative'],
      trialOf('x', { output: 'To Ines: eleven years, and the kettle never empty.' }),
      0,
    ),
    tagged(
      'a-toast',
      ['creative'],
      trialOf('x', {
        status: 'error',
        scores: [],
        error: { kind: 'target', message: 'no answer within 60 s' },
      }),
      1,
    ),
  ]
  const metrics = {
    ...{ pass_rate: 0.625, cases: 4, total: 8, passed: 5, failed: 2, errors: 1, not_run: 0 },
    ...{ 'score.contains': 0.7143, cost_usd: 0.0421, duration_ms: 74_000, judge_agreement: 0.91 },
  }
  const tone = reportOf({
    verdict: 'failed',
    reasons: ['pass_rate is below 0.9'],
    notes: ['2 of 8 answers are of an earlier run, by the same prompts and code (--no-cache)'],
    estimand: 'these-cases',
    trials: 2,
    metrics,
    cases,
    judgeModel: 'gpt-judge-2026-02-01',
    durationMs: 74_000,
  })
  const routing = reportOf({
    suite: 'routing',
    cases: [trialOf('weather-today'), trialOf('remember-the-key')],
  })
  const run = (id: string, version: number, startedAt: number) => ({
    id,
    experimentId: '1',
    suite: 'tone',
    status: 'FINISHED',
    startedAt,
    endedAt: startedAt + 60_000,
    datasetDigest: 'abcdef0123456789',
    prompts: { base: { version, digest: `d${version}`, alias: 'production' } },
    aliasChain: ['production'],
    judgePrompts: {},
    metrics: { pass_rate: 0.9 },
    isComplete: true,
    missing: [],
  })
  const day = 86_400_000
  const start = 1_790_000_000_000
  const at = [0.82, 0.86, 0.91, 0.88, 0.94, 0.63]
  const runs = at
    .map((value, i) => ({
      run: run(`run-${i}`, i < 2 ? 1 : i < 5 ? 2 : 3, start + i * day),
      metric: 'pass_rate',
      value,
      passRate: value,
      counts: true,
      passed: value >= 0.9,
      ...(i === 0 ? {} : { change: value - (at[i - 1] as number) }),
      changed:
        i === 2 || i === 5
          ? [{ prompt: 'base', from: i === 2 ? 1 : 2, to: i === 2 ? 2 : 3, isOtherText: true }]
          : [],
      isBreak: false,
    }))
    .reverse()
  const answer: GateAnswer = {
    ...{
      metric: 'pass_rate',
      outcome: 'fail',
      method: 'score-test',
      estimand: 'these-cases',
      n: 8,
      minimum: 29,
    },
    ...{
      baseline: 0.94,
      candidate: 0.625,
      difference: -0.315,
      lower: -0.52,
      upper: -0.09,
      pValue: 0.99,
      margin: 0.1,
    },
    ...{ reason: '−31.5 points (at most −9 points): worse on these cases, asked again' },
    ...{ slices: [], worse: ['a-worry', 'one-fact'], better: [] },
  }
  const changed = (id: string, change: 'better' | 'worse') => ({
    ...{ id, metric: 'pass_rate', change },
    baseline: change === 'worse' ? [1, 1] : [0, 1],
    candidate: change === 'worse' ? [1, 0] : [1, 1],
  })
  return {
    reports: [tone, routing],
    comparisons: [
      {
        suite: 'tone',
        candidate: run('run-5', 3, start),
        baseline: run('run-4', 2, start - day),
        outcome: 'fail',
        exitCode: 1,
        problems: [],
        notes: ['the candidate does not reach its own bars: pass_rate is 0.625, and must be ≥ 0.9'],
        prompts: [{ prompt: 'base', from: 2, to: 3, isOtherText: true }],
        gates: { outcome: 'fail', answers: [answer], reasons: [], hardMisses: [] },
        metrics: {
          pass_rate: {
            ...{
              direction: 'higher',
              candidate: 0.625,
              baseline: 0.94,
              difference: -0.315,
              better: 1,
              worse: 3,
              same: 0,
            },
            ...{ pValue: 0.625, method: 'sign-flip' },
          },
        },
        cases: [
          changed('a-worry', 'worse'),
          changed('one-fact', 'worse'),
          changed('a-toast', 'worse'),
          changed('plain-hello', 'better'),
        ],
        unpaired: [],
      },
    ],
    trends: [{ suite: 'tone', runs, hasMore: false }],
    madeAt: start + 6 * day,
  }
}
