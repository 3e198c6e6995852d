/**
 * `Did you mean memory?` for the candidate that is a slip away from what was given, else ''.
 * @param most - Letters that may differ; default a third of the longer name.
 */
export function suggest(given: string, candidates: readonly string[], most?: number): string {
  const [best] = candidates
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name.toLowerCase()) }))
    .filter(
      ({ name, distance }) =>
        distance <= (most ?? Math.max(1, Math.floor(Math.max(given.length, name.length) / 3))),
    )
    .sort((a, b) => a.distance - b.distance)
  return best === undefined ? '' : `Did you mean ${best.name}?`
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. */
function distanceOf(a: string, b: string): number {
  const grid: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number) => grid[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    grid.push([i])
    for (let j = 1; j <= b.length; j++) {
      const substituted = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : substituted
      grid[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, substituted, swapped))
    }
  }
  return at(a.length, b.length)
}
