import type { RunLineage } from './lineage.ts'
import type { LoadedSuite } from './load-suite.ts'
import { type Metrics, passes, reaches } from './metrics.ts'
import type { Verdict } from './report.ts'
import type { CaseResult } from './runner.ts'
import { needsJudge } from './scorers/define-scorer.ts'
import type { Gate } from './suite.ts'
import type { RunStatus } from './tracking-port.ts'

/** Why a run ended early, and how MLflow is told. */
export interface Stop {
  readonly reason: string
  readonly status: RunStatus
}

/** Why a run ended before its last case was judged, if it did. A target's own errors stop nothing. */
export function stopReason(cases: readonly CaseResult[], signal: AbortSignal | undefined): Stop | undefined {
  const broken = cases.find(({ error }) => error && error.kind !== 'target')
  if (broken?.error) {
    const { kind, message } = broken.error
    return { reason: `${kind} error in case ${broken.case.id}: ${message}`, status: 'FAILED' }
  }
  const isCut = cases.some(({ status }) => status === 'not-run')
  return signal?.aborted && isCut ? { reason: 'interrupted', status: 'KILLED' } : undefined
}

/** What a verdict is made of. */
export interface RunFacts {
  readonly loaded: LoadedSuite
  readonly cases: readonly CaseResult[]
  readonly lineage: RunLineage
  readonly metrics: Metrics
  /** Those that answered, as far as the target says. */
  readonly models: readonly string[]
  readonly stopped: Stop | undefined
}

/** A run without trustworthy lineage has no verdict, however good its answers were. */
export function judgeRun(run: RunFacts): { verdict: Verdict; reasons: string[] } {
  const { loaded, lineage, metrics, models, stopped, cases } = run
  const { options } = loaded
  const others = options.model === undefined ? [] : models.filter((model) => model !== options.model)
  const problems = [
    ...(stopped ? [stopped.reason] : []),
    ...lineage.problems,
    ...(others.length > 0 ? [`model ${options.model} was asked for and ${others.join(', ')} answered`] : []),
  ]
  if (problems.length > 0) return { verdict: 'invalid', reasons: problems }
  const missed = whyNotConcerned(loaded.promptAlias, lineage)
  if (missed !== undefined) return { verdict: 'not-concerned', reasons: [missed] }
  const failed = loaded.gates.filter((gate) => !passes(gate, metrics)).map((gate) => whyFailed(gate, metrics))
  const reasons = [...hardMisses(loaded.suite.hard, cases), ...failed]
  return { verdict: reasons.length > 0 ? 'failed' : 'passed', reasons }
}

/** A chain's run that used no candidate says nothing about one, however its gate came out. */
function whyNotConcerned([alias]: readonly string[], { candidates }: RunLineage): string | undefined {
  const all = Object.entries(candidates)
  if (all.length === 0 || all.some(([, { cases }]) => cases > 0)) return undefined
  const names = all.map(([name, { version }]) => `${name} v${version}`)
  return `no case used a prompt that has alias ${alias} (${names.join(', ')})`
}

/** One line for each scorer that tolerates no miss and saw one. An error might hide one. */
function hardMisses(hard: readonly string[], cases: readonly CaseResult[]): string[] {
  return hard.flatMap((name) => {
    const missed = cases.filter(
      ({ status, scores }) =>
        status === 'error' || scores.some((score) => score.name === name && (score.score ?? 1) < 1),
    )
    if (missed.length === 0) return []
    const ids = [...new Set(missed.map((result) => result.case.id))]
    const shown = ids.slice(0, 5).join(', ')
    return [`${name} tolerates no miss: ${shown}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}`]
  })
}

function whyFailed(gate: Gate, metrics: Metrics): string {
  const { metric, direction, threshold } = gate
  const value = metrics[metric]
  if (value === undefined) return `there is no ${metric}: no case was scored`
  if (reaches(gate, value)) {
    return `${metrics.errors} of ${metrics.total} cases ended in an error, and ${metric} is about the others only`
  }
  return `${metric} is ${direction === 'higher' ? 'below' : 'above'} ${threshold}`
}

/** What a reader should know beside the verdict and its reasons. */
export function notesOf(
  { suite, options: { judgeModel }, promptAlias: [alias] }: LoadedSuite,
  { candidates, notes }: RunLineage,
  verdict: Verdict,
  cases: readonly CaseResult[],
): string[] {
  const unused = Object.keys(candidates).filter((name) => candidates[name]?.cases === 0)
  const cached = cases.filter(({ isCached }) => isCached).length
  return [
    ...(judgeModel !== undefined && !needsJudge(suite)
      ? [`judge model ${judgeModel} was not asked: no scorer of this suite needs one`]
      : []),
    ...(unused.length > 0 && verdict !== 'not-concerned' && verdict !== 'shard'
      ? [`no case used ${unused.join(', ')}: this run says nothing about its alias ${alias}`]
      : []),
    ...(cached > 0
      ? [
          `${cached} of ${cases.length} answers are of an earlier run, by the same prompts and code (--no-cache)`,
        ]
      : []),
    ...notes,
  ]
}
