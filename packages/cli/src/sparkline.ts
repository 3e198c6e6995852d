const BARS = '▁▂▃▄▅▆▇█'
/** Values nearer to each other than this look alike: noise should not fill the screen. */
const LEAST_SPAN = 0.1

/**
 * Values as one line, the oldest first, with the range that its lowest and highest bar stand for.
 * @param parts - What is compared with each other; between parts there is a break.
 */
export function sparkline(parts: readonly (readonly number[])[]): string {
  const all = parts.flat()
  if (all.length === 0) return ''
  const [least, most] = [Math.min(...all), Math.max(...all)]
  const span = Math.max(most - least, LEAST_SPAN)
  // Shares stay within 0 and 1; a lone value in the middle of them is in the middle of its line.
  const bottom = Math.max(0, Math.min(least - (span - (most - least)) / 2, 1 - span))
  const bar = (value: number): string => {
    // The sum is for numbers that are a hair below the next step.
    const step = Math.floor(((value - bottom) / span) * BARS.length + 1e-9)
    return BARS[Math.min(BARS.length - 1, step)] ?? ''
  }
  return parts
    .filter((part) => part.length > 0)
    .map((part) => part.map(bar).join(''))
    .join(' ┊ ')
}
