/** A share as points: 0.125 is `12.5 points`. */
export const points = (share: number): string => `${Math.round(share * 1000) / 10} points`
/** A difference with its sign: `+3 points`, `±0 points`. */
export const signed = (share: number): string =>
  `${share > 0 ? '+' : share < 0 ? '−' : '±'}${points(Math.abs(share))}`

/** The first five, and how many more. */
export const listed = (ids: readonly string[]): string =>
  ids.length > 5 ? `${ids.slice(0, 5).join(', ')} and ${ids.length - 5} more` : ids.join(', ')

/** Three decimals at most. */
export const rounded = (value: number): string => String(Math.round(value * 1000) / 1000)
