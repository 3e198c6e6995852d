export interface Random {
  /** 0 ≤ n < 1. */
  next(): number
  /** A whole number from 0 to `below` - 1. */
  whole(below: number): number
  pick<T>(items: readonly T[]): T
}

/** Mulberry32: the same numbers for the same seed, on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  function next() {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (below: number) => Math.floor(next() * below)
  return { next, whole, pick: (items) => items[whole(items.length)] as (typeof items)[number] }
}
