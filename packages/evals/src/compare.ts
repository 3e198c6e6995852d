import type { PairedCase } from './paired.ts'
import { holm, mcnemarPValue, signFlipPValue } from './statistics/exact.ts'

/** Whether anything changed in one metric between two runs. */
export interface Comparison {
  /** Mean of candidate less baseline over the cases, trials averaged inside each. */
  readonly difference: number
  readonly better: number
  readonly worse: number
  readonly same: number
  /** Two-sided, of "nothing changed". */
  readonly pValue: number
  readonly method: 'mcnemar' | 'sign-flip'
}

/**
 * Did anything change? Exact McNemar where every case is a yes or no in both runs, else the sign-flip test over the cases'
 * differences. Cases of one cluster are not put together here: it answers for these pairs.
 *
 * @param random - As `Math.random`; used above 14 changed cases.
 */
export function comparePairs(pairs: readonly PairedCase[], random: () => number): Comparison {
  const differences = pairs.map(({ candidate, baseline }) => meanOf(candidate) - meanOf(baseline))
  const better = differences.filter((by) => by > 1e-9).length
  const worse = differences.filter((by) => by < -1e-9).length
  const isPlain = pairs.every(({ candidate, baseline }) =>
    [candidate, baseline].every(([value, ...more]) => more.length === 0 && (value === 0 || value === 1)),
  )
  return {
    difference: pairs.length === 0 ? 0 : sum(differences) / pairs.length,
    better,
    worse,
    same: pairs.length - better - worse,
    pValue: isPlain ? mcnemarPValue(better, worse) : signFlipPValue(differences, random),
    method: isPlain ? 'mcnemar' : 'sign-flip',
  }
}

/** The same for several metrics at once: p-values hold for all of them together (Holm). */
export function compareMetrics(
  pairsOf: Readonly<Record<string, readonly PairedCase[]>>,
  random: () => number,
): Readonly<Record<string, Comparison>> {
  const compared = Object.entries(pairsOf).map(
    ([metric, pairs]) => [metric, comparePairs(pairs, random)] as const,
  )
  const adjusted = holm(compared.map(([, { pValue }]) => pValue))
  return Object.fromEntries(
    compared.map(([metric, comparison], i) => [metric, { ...comparison, pValue: adjusted[i] as number }]),
  )
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const meanOf = (values: readonly number[]): number => sum(values) / values.length
