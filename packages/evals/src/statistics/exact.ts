/**
 * Exact tests of "nothing changed", for paired results.
 */

/**
 * Two-sided exact McNemar test: `better` of `better + worse` changed pairs went up; if nothing changed, each is as likely up as
 * down. Q. McNemar, Psychometrika 12 (1947), with the binomial distribution itself.
 */
export function mcnemarPValue(better: number, worse: number): number {
  const n = better + worse
  const fewer = Math.min(better, worse)
  let tail = 0
  let log = -n * Math.LN2 // of the chance of exactly k
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(log)
    log += Math.log((n - k) / (k + 1))
  }
  return Math.min(1, 2 * tail)
}

/** So many pairs are flipped in every way there is; more are flipped at random. */
export const EXACT_UP_TO = 14
const DRAWS = 10_000

/**
 * Two-sided sign-flip test: if nothing changed, each difference is as likely to have the other sign. Exact up to 14 differences
 * that are not 0; above that 10,000 random flips, with the observed one counted in (so that no p-value is 0).
 * R. A. Fisher, "The Design of Experiments" (1935), §21.
 *
 * @param random - As `Math.random`; seed it to get the same answer again.
 */
export function signFlipPValue(differences: readonly number[], random: () => number): number {
  const moved = differences.filter((difference) => difference !== 0)
  const observed = Math.abs(sum(moved)) - 1e-12
  if (moved.length <= EXACT_UP_TO) {
    const all = 2 ** moved.length
    let extreme = 0
    for (let flips = 0; flips < all; flips++) {
      let total = 0
      for (const [i, difference] of moved.entries()) total += flips & (1 << i) ? -difference : difference
      if (Math.abs(total) >= observed) extreme++
    }
    return extreme / all
  }
  let extreme = 1
  for (let draw = 0; draw < DRAWS; draw++) {
    let total = 0
    for (const difference of moved) total += random() < 0.5 ? -difference : difference
    if (Math.abs(total) >= observed) extreme++
  }
  return extreme / (DRAWS + 1)
}

/**
 * p-values that hold all at once, in the order given. S. Holm, "A simple sequentially rejective multiple test procedure",
 * Scandinavian Journal of Statistics 6 (1979).
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((p, index) => [p, index] as const).sort(([a], [b]) => a - b)
  const adjusted = pValues.map(() => 1)
  let least = 0
  for (const [rank, [p, index]] of order.entries()) {
    least = Math.max(least, Math.min(1, p * (pValues.length - rank)))
    adjusted[index] = least
  }
  return adjusted
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
