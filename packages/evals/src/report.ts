import type { Candidate, UsedPrompt } from './lineage.ts'
import type { Metrics } from './metrics.ts'
import type { Estimand } from './paired.ts'
import { gateLine, questionOf, seconds } from './report-facts.ts'
import { type CaseGroup, groupCases } from './reports/case-groups.ts'
import type { CaseResult } from './runner.ts'
import type { Gate } from './suite.ts'
import { rounded } from './words.ts'

/**
 * `invalid`: the run says nothing, for or against, about the prompts that it was to judge. `not-concerned`: none of
 * the prompts that it was to judge was used in it; another suite may have judged them (see `concludeEvals`). `shard`: a
 * part of a run that went well; merged with the others it has a verdict.
 */
export type Verdict = 'passed' | 'failed' | 'invalid' | 'not-concerned' | 'shard'

export interface EvalReport {
  readonly suite: string
  readonly verdict: Verdict
  /** Why it is not `passed`; empty when it is. */
  readonly reasons: readonly string[]
  /** What else a reader should know. */
  readonly notes: readonly string[]
  readonly gates: readonly Gate[]
  /** Scorers that tolerate no miss. */
  readonly hard: readonly string[]
  /** What the run is about; see `Estimand`. */
  readonly estimand: Estimand
  /** Runs of each case. */
  readonly trials: number
  readonly metrics: Metrics
  readonly dataset: { readonly name: string; readonly digest: string }
  /** Alias chain that was asked for. */
  readonly promptAlias: readonly string[]
  readonly prompts: Readonly<Record<string, UsedPrompt>>
  /** In a chain: the prompts that have its first alias, and how many cases used each by it. */
  readonly candidates: Readonly<Record<string, Candidate>>
  readonly fingerprint: string
  readonly model?: string | undefined
  readonly judgeModel?: string | undefined
  /** The MLflow run. */
  readonly run: { readonly id: string; readonly experimentId: string; readonly experiment: string }
  readonly cases: readonly CaseResult[]
  readonly durationMs: number
  /** `i/n` of a part. */
  readonly shard?: string | undefined
}

/**
 * A report as a person reads it, ending in a line break.
 * @param options.verbose - Every case with its answers and scores, not only those that did not pass.
 */
export function formatReport(report: EvalReport, { verbose = false } = {}): string {
  const { suite, verdict, reasons, notes, metrics, prompts, dataset, run, model, judgeModel } = report
  const facts: [string, string][] = [
    ...report.gates.map((gate, index): [string, string] => [
      index === 0 ? (report.gates.length > 1 ? 'gates' : 'gate') : '',
      gateLine(gate, report),
    ]),
    ...(report.hard.length > 0 ? [['hard', report.hard.join(', ')] as [string, string]] : []),
    [report.trials > 1 ? 'trials' : 'cases', describeCounts(metrics, report.durationMs)],
    ['about', questionOf(report)],
    ...Object.entries(metrics)
      .filter(([name]) => name.startsWith('score.'))
      .map(([name, value]): [string, string] => [name, rounded(value)]),
    ...(metrics.judge_agreement === undefined
      ? []
      : ([['agreement', `${rounded(metrics.judge_agreement)} between the judge's draws`]] as [
          string,
          string,
        ][])),
    ['dataset', `${dataset.name} (${dataset.digest.slice(0, 12)})`],
    ...(model === undefined ? [] : ([['model', model]] as [string, string][])),
    ...(judgeModel === undefined ? [] : ([['judge', judgeModel]] as [string, string][])),
    ...Object.entries(prompts).map(([name, used], index): [string, string] => [
      index === 0 ? 'prompts' : '',
      describePrompt(name, used),
    ]),
    ['run', `${run.id} (MLflow experiment ${run.experiment})`],
  ]
  const width = Math.max(...facts.map(([label]) => label.length))
  const groups = groupCases(report.cases)
  const shown = verbose ? groups : groups.filter(({ status }) => status === 'failed' || status === 'error')
  return [
    `${suite}: ${verdict.toUpperCase().replace('-', ' ')}`,
    ...reasons.map((reason) => `  ! ${reason}`),
    ...facts.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`),
    ...notes.map((note) => `  note: ${note}`),
    ...(shown.length > 0 ? ['', ...caseTable(worstFirst(shown), verbose)] : []),
    '',
  ].join('\n')
}

function describeCounts(metrics: Metrics, durationMs: number): string {
  const { total = 0, passed = 0, failed = 0, errors = 0, not_run: left = 0, cost_usd: cost } = metrics
  const parts = [`${passed} passed`, `${failed} failed`, `${errors} errors`]
  const money = cost === undefined ? '' : `, $${cost.toFixed(cost < 1 ? 3 : 2)}`
  return `${total}: ${[...parts, ...(left > 0 ? [`${left} not run`] : [])].join(', ')} in ${seconds(durationMs)}${money}`
}

const describePrompt = (name: string, { version, alias, cases }: UsedPrompt): string =>
  `${name} v${version}${alias === undefined ? '' : ` @${alias}`}, ${cases} ${cases === 1 ? 'case' : 'cases'}`

/** Whatever passed least; among equals the dataset's order. */
const worstFirst = (groups: readonly CaseGroup[]): CaseGroup[] =>
  groups.toSorted((a, b) => a.passed / a.trials.length - b.passed / b.trials.length)

function caseTable(groups: readonly CaseGroup[], verbose: boolean): string[] {
  const width = Math.max(...groups.map(({ id }) => id.length))
  return groups.flatMap(({ id, status, passed, trials, why }) => {
    const share = trials.length > 1 ? `${passed}/${trials.length}`.padStart(6) : ''
    const line = `  ${status.padEnd(7)}${share} ${id.padEnd(width)}  ${why.join('; ')}`.trimEnd()
    return verbose ? [line, ...trials.flatMap((trial) => trialLines(trial, trials.length))] : [line]
  })
}

function trialLines({ trial, status, scores, result }: CaseResult, count: number): string[] {
  if (!result) return []
  const head = count > 1 ? [`    trial ${trial + 1}: ${status}`] : []
  const said = scores.map(({ name, score, reason = '' }) =>
    `      ${name} ${rounded(score ?? 0)}  ${reason}`.trimEnd(),
  )
  const answer = result.output.split('\n').map((text) => `      | ${text}`.trimEnd())
  return [...head, ...said, ...answer]
}
