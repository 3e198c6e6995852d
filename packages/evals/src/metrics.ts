import type { CaseResult } from './runner.ts'
import type { Gate } from './suite.ts'

/** Which side of what a metric must be on. */
export type Bar = Pick<Gate, 'metric' | 'direction' | 'threshold'>

/** What a run says in numbers; the names are those of the metrics in MLflow. */
export type Metrics = Readonly<Record<string, number>>

/**
 * Counts, `pass_rate` and the mean of every scorer as `score.<name>`. An error counts as not passed and is in no
 * mean. `pass_rate` is absent while a case was not run: a part of a dataset has no rate.
 */
export function measure(results: readonly CaseResult[]): Metrics {
  const count = (wanted: CaseResult['status']): number =>
    results.filter(({ status }) => status === wanted).length
  const counts = {
    total: results.length,
    passed: count('passed'),
    failed: count('failed'),
    errors: count('error'),
    not_run: count('not-run'),
  }
  const rate = counts.not_run === 0 ? { pass_rate: counts.passed / counts.total } : {}
  return { ...rate, ...counts, ...meanScores(results) }
}

/**
 * True when the metric is on the right side of its threshold. A metric that is missing passes nothing; nor does the
 * mean of a scorer when a case ended in an error: it would say the more, the fewer answers there are.
 */
export function passes(gate: Bar, metrics: Metrics): boolean {
  const value = metrics[gate.metric]
  if (value === undefined || (gate.metric !== 'pass_rate' && (metrics.errors ?? 0) > 0)) return false
  return reaches(gate, value)
}

/** True when a value is on the right side of the threshold, or at it. */
export const reaches = ({ direction, threshold }: Bar, value: number): boolean =>
  direction === 'higher' ? value >= threshold : value <= threshold

function meanScores(results: readonly CaseResult[]): Record<string, number> {
  const all = new Map<string, number[]>()
  for (const { name, score } of results.flatMap(({ scores }) => scores)) {
    if (score === null) continue
    all.set(name, [...(all.get(name) ?? []), score])
  }
  return Object.fromEntries(
    [...all].map(([name, scores]) => [
      `score.${name}`,
      scores.reduce((sum, score) => sum + score, 0) / scores.length,
    ]),
  )
}
