import { crossing } from './crossing.ts'
import { upperQuantile, upperTail } from './normal.ts'

/** Pairs of yes and no, counted: `better` are those where only the candidate says yes, `worse` where only the baseline does. */
export interface Discordance {
  readonly n: number
  readonly better: number
  readonly worse: number
}

/**
 * The score statistic for a difference of paired proportions, p(candidate) − p(baseline), at `difference` (−1 … 1): how many
 * standard errors the observed one lies above it, with the variance that is most likely if it were so. At 0 it is McNemar's.
 *
 * T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
 * Statistics in Medicine 17 (1998), 891–908: Z(Δ) with the restricted estimate of the smaller discordant cell.
 */
export function scoreStatistic({ n, better, worse }: Discordance, difference: number): number {
  const a = 2 * n
  const b = -better - worse + (2 * n - better + worse) * difference
  const c = -worse * difference * (1 - difference)
  const restricted = (Math.sqrt(Math.max(0, b * b - 4 * a * c)) - b) / (2 * a)
  const variance = n * (2 * restricted + difference * (1 - difference))
  const above = better - worse - n * difference
  if (variance <= 1e-12)
    return above === 0 ? 0 : above > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  return above / Math.sqrt(variance)
}

/** One-sided p-value of "the difference is `difference` or less". */
export const scorePValue = (pairs: Discordance, difference: number): number =>
  upperTail(scoreStatistic(pairs, difference))

/**
 * One-sided bounds of the difference at level 1 − `alpha`, by inversion: the differences at which the test does not reject.
 *
 * @param alpha - Of each side; 0.05 makes a two-sided interval of 90 %.
 */
export function scoreBounds(
  pairs: Discordance,
  alpha = 0.05,
): { readonly lower: number; readonly upper: number } {
  const z = upperQuantile(alpha)
  return {
    lower: crossing((difference) => scoreStatistic(pairs, difference) - z, -1, 1),
    upper: crossing((difference) => scoreStatistic(pairs, difference) + z, -1, 1),
  }
}

/**
 * The least number of pairs by which a margin can be shown: if one pair in `1/margin` got worse, so many without a single one
 * would be seen in one experiment of twenty. n ≥ ln 0.05 / ln(1 − δ): 29 at 0.10, 59 at 0.05.
 */
export const leastForMargin = (margin: number, alpha = 0.05): number =>
  Math.ceil(Math.log(alpha) / Math.log(1 - margin) - 1e-9)
