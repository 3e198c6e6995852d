/**
 * Lower bound of a mean by the studentised bootstrap, one-sided (B. Efron & R. Tibshirani, "An Introduction to the Bootstrap"
 * (1993), §12.5). Not in the gate: it is here to be measured against what is.
 */
export function studentisedLowerBound(
  values: readonly number[],
  random: () => number,
  { draws = 399, alpha = 0.05 } = {},
): number {
  const { mean, error } = summaryOf(values)
  const studentised = Array.from({ length: draws }, () => {
    const again = summaryOf(values.map(() => values[Math.floor(random() * values.length)] as number))
    const away = again.mean - mean
    return again.error > 0 ? away / again.error : away === 0 ? 0 : away > 0 ? Infinity : -Infinity
  }).sort((a, b) => a - b)
  const t = studentised[Math.ceil((1 - alpha) * (draws + 1)) - 1] as number
  return error === 0 ? mean : mean - t * error
}

function summaryOf(values: readonly number[]): { mean: number; error: number } {
  let sum = 0
  let squares = 0
  for (const value of values) {
    sum += value
    squares += value * value
  }
  const n = values.length
  const mean = sum / n
  return { mean, error: Math.sqrt(Math.max(0, squares - n * mean * mean) / (n * (n - 1))) }
}
