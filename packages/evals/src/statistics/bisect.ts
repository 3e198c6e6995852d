/**
 * Where a function that only falls crosses zero between `low` and `high`, to the last digits that a number has. At the
 * ends when it does not cross.
 */
export function bisect(f: (x: number) => number, low: number, high: number): number {
  let from = low
  let to = high
  for (let step = 0; step < 200; step++) {
    const middle = (from + to) / 2
    if (middle === from || middle === to) return middle
    if (f(middle) > 0) from = middle
    else to = middle
  }
  return (from + to) / 2
}
