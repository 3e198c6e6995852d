import type { Candidate, UsedPrompt } from './lineage.ts'
import type { Metrics } from './metrics.ts'
import type { CaseResult } from './runner.ts'
import type { Gate } from './suite.ts'

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
 * @param options.verbose - Every case with its answer and scores, not only those that did not pass.
 */
export function formatReport(report: EvalReport, { verbose = false } = {}): string {
  const { suite, verdict, reasons, notes, metrics, prompts, dataset, run, model, judgeModel } = report
  const facts: [string, string][] = [
    ...report.gates.map((gate, index): [string, string] => [
      index === 0 ? 'gate' : '',
      describeGate(gate, metrics),
    ]),
    ['cases', describeCounts(metrics, report.durationMs)],
    ...Object.entries(metrics)
      .filter(([name]) => name.startsWith('score.'))
      .map(([name, value]): [string, string] => [name, rounded(value)]),
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
  const shown = report.cases.filter(({ status }) => verbose || status === 'failed' || status === 'error')
  return [
    `${suite}: ${verdict.toUpperCase().replace('-', ' ')}`,
    ...reasons.map((reason) => `  ! ${reason}`),
    ...facts.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`),
    ...notes.map((note) => `  note: ${note}`),
    ...(shown.length > 0 ? ['', ...caseTable(shown, verbose)] : []),
    '',
  ].join('\n')
}

function describeGate({ metric, direction, threshold }: Gate, metrics: Metrics): string {
  const value = metrics[metric]
  const bar = `${direction === 'higher' ? '≥' : '≤'} ${threshold}`
  return `${metric} ${value === undefined ? 'unknown' : rounded(value)}, must be ${bar}`
}

function describeCounts(metrics: Metrics, durationMs: number): string {
  const { total = 0, passed = 0, failed = 0, errors = 0, not_run: left = 0 } = metrics
  const parts = [`${passed} passed`, `${failed} failed`, `${errors} errors`]
  return `${total}: ${[...parts, ...(left > 0 ? [`${left} not run`] : [])].join(', ')} in ${seconds(durationMs)}`
}

const describePrompt = (name: string, { version, alias, cases }: UsedPrompt): string =>
  `${name} v${version}${alias === undefined ? '' : ` @${alias}`}, ${cases} ${cases === 1 ? 'case' : 'cases'}`

function caseTable(cases: readonly CaseResult[], verbose: boolean): string[] {
  const width = Math.max(...cases.map(({ case: { id } }) => id.length))
  return cases.flatMap((result) => {
    const line = `  ${result.status.padEnd(7)} ${result.case.id.padEnd(width)}  ${whyOf(result)}`.trimEnd()
    if (!verbose || !result.result) return [line]
    const scores = result.scores.map(({ name, score, reason = '' }) =>
      `      ${name} ${rounded(score ?? 0)}  ${reason}`.trimEnd(),
    )
    const answer = result.result.output.split('\n').map((text) => `      | ${text}`.trimEnd())
    return [line, ...scores, ...answer]
  })
}

function whyOf({ error, scores }: CaseResult): string {
  if (error) return `${error.kind}: ${error.message}`
  return scores
    .filter(({ score }) => score !== 1)
    .map(({ name, reason = '' }) => `${name}: ${reason}`)
    .join('; ')
}

const rounded = (value: number): string => String(Math.round(value * 1000) / 1000)

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
