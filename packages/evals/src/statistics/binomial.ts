/*
 * The binomial distribution by the regularised incomplete beta function: P(X ≥ k) = I_p(k, n − k + 1) (Abramowitz & Stegun
 * 26.5.24), so that a tail of thousands costs about as much as one of ten.
 */

/** P(X = k) for X ~ Bin(n, p), 0 ≤ k ≤ n; not a number less than 0 where it underflows. */
export function binomialMass(k: number, n: number, p: number): number {
  if (p <= 0) return k === 0 ? 1 : 0
  if (p >= 1) return k === n ? 1 : 0
  return Math.exp(
    logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p),
  )
}

/** P(X ≥ k) for X ~ Bin(n, p). 1 for k ≤ 0, 0 for k > n. */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (k <= 0 || p >= 1) return k <= n ? 1 : 0
  if (k > n || p <= 0) return 0
  const a = k
  const b = n - k + 1
  const front = binomialMass(k, n, p) * (1 - p) // x^a (1 − x)^b / (a B(a, b))
  // The fraction converges fast on this side of the mean, and its mirror image on the other.
  if (p < (a + 1) / (a + b + 2)) return Math.min(1, front * continuedFraction(a, b, p))
  return Math.max(0, 1 - ((front * a) / b) * continuedFraction(b, a, 1 - p))
}

/** The continued fraction of I_x(a, b) (DLMF 8.17.22), by the modified method of Lentz. */
function continuedFraction(a: number, b: number, x: number): number {
  const TINY = 1e-300
  const held = (value: number): number => (Math.abs(value) < TINY ? TINY : value)
  let c = 1
  let d = 1 / held(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / held(1 + even * d)
    c = held(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / held(1 + odd * d)
    c = held(1 + odd / c)
    fraction *= d * c
    if (Math.abs(d * c - 1) < 1e-15) break
  }
  return fraction
}

const SMALL_FACTORIALS = Array.from({ length: 21 }, (_, n) =>
  Math.log(Array.from({ length: n }, (_, i) => i + 1).reduce((product, factor) => product * factor, 1)),
)

/** ln n!, by Stirling's series above 20 (relative error below 1e-15). */
function logFactorial(n: number): number {
  const small = SMALL_FACTORIALS[n]
  if (small !== undefined) return small
  const inverse = 1 / n
  const square = inverse * inverse
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + series
}
