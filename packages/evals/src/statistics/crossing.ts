/**
 * Where a function that only falls crosses zero between `low` and `high`, to within 1e-14 of the interval. At the ends when it
 * does not cross; infinite values are taken as signs alone.
 *
 * False position with halved weights (the "Illinois" rule: M. Dowell & P. Jarratt, BIT 11 (1971)), and a plain halving whenever
 * three such steps have not halved the interval.
 */
export function crossing(f: (x: number) => number, low: number, high: number): number {
  const near = 1e-14 * (high - low)
  let [from, to] = [low, high]
  let [above, below] = [f(from), f(to)]
  if (!(above > 0)) return low
  if (below > 0) return high
  let width = to - from
  for (let step = 1; step < 300 && to - from > near; step++) {
    const isTime = step % 4 === 0 && to - from > width / 2
    if (step % 4 === 0) width = to - from
    const guess = from + ((to - from) * above) / (above - below)
    const x = isTime || !(guess > from && guess < to) ? (from + to) / 2 : guess
    const at = f(x)
    if (at === 0) return x
    if (at > 0) {
      ;[from, above] = [x, at]
      below /= 2
    } else {
      ;[to, below] = [x, at]
      above /= 2
    }
  }
  return (from + to) / 2
}
