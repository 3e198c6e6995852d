import type { EvalRun } from './eval-run.ts'
import { passes } from './metrics.ts'
import type { RunRules } from './run-rules.ts'

type Measured = Pick<EvalRun, 'metrics'>

/**
 * What a whole run missed by itself, without a baseline: thresholds of its gates, and scorers that tolerate no miss.
 * @returns One line for each; empty when it passed.
 */
export function missedBars(run: Measured, { gates, hard }: RunRules): string[] {
  const { metrics } = run
  // A mean of scores from 0 to 1 is 1 when all of them are.
  const missed = hard
    .filter((scorer) => (metrics.errors ?? 0) > 0 || (metrics[`score.${scorer}`] ?? 1) < 1)
    .map((scorer) => `${scorer} tolerates no miss, and scored ${metrics[`score.${scorer}`] ?? 'an error'}`)
  return [...missedThresholds(run, gates), ...missed]
}

/** The thresholds alone. */
export const missedThresholds = ({ metrics }: Measured, gates: RunRules['gates']): string[] =>
  gates
    .filter((gate) => !passes(gate, metrics))
    .map(
      ({ metric, direction, threshold }) =>
        `${metric} is ${metrics[metric] ?? 'unknown'}, and must be ${direction === 'higher' ? '≥' : '≤'} ${threshold}`,
    )
