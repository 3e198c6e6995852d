/**
 * The standard normal distribution. The error function is the Chebyshev fit of Numerical Recipes (3rd ed., §6.2.2, relative
 * error 1.2e-16); what is small keeps its digits, because the upper tail is computed as such.
 */

const COEFFICIENTS = [
  -1.3026537197817094, 0.6419697923564902, 1.9476473204185836e-2, -9.561514786808631e-3, -9.46595344482036e-4,
  3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5, -1.624290004647e-6, 1.30365583558e-6,
  1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10,
  9.6467911e-11, 2.394038e-12, -6.886027e-12, 8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15,
  -1.523e-15, -9.4e-17, 1.21e-16, -2.8e-17,
]

/** P(Z > z). */
export function upperTail(z: number): number {
  const x = z / Math.SQRT2
  const tail = erfcOf(Math.abs(x)) / 2
  return x >= 0 ? tail : 1 - tail
}

/** The z with P(Z > z) = p, 0 < p < 1. */
export function upperQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a probability is between 0 and 1, not ${p}`)
  if (p > 0.5) return -upperQuantile(1 - p)
  // A first guess (Abramowitz & Stegun 26.2.23), then Newton's steps on the tail itself.
  const t = Math.sqrt(-2 * Math.log(p))
  let z =
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  for (let step = 0; step < 6; step++)
    z += ((upperTail(z) - p) * Math.sqrt(2 * Math.PI)) / Math.exp(-(z * z) / 2)
  return z
}

/** erfc of x ≥ 0. */
function erfcOf(x: number): number {
  const t = 2 / (2 + x)
  const ty = 4 * t - 2
  let d = 0
  let dd = 0
  for (let j = COEFFICIENTS.length - 1; j > 0; j--) {
    const last = d
    d = ty * d - dd + (COEFFICIENTS[j] as number)
    dd = last
  }
  return t * Math.exp(-x * x + 0.5 * ((COEFFICIENTS[0] as number) + ty * d) - dd)
}
