import { createBoundedMap } from './bounded-map.ts'

export interface RateLimiter {
  /** Takes one, if there is one. @returns Milliseconds to wait until there is one; 0 when it was taken. */
  take(key: string): number
}

interface RateLimits {
  /** 0: no limit. */
  readonly perSecond: number
  /** How many at once, after a rest. At least 1. */
  readonly burst: number
  /** Milliseconds that only grow. */
  readonly elapsedMs: () => number
  /** How many keys are told apart; those that were not seen for longest start afresh. */
  readonly mostKeys?: number
}

/**
 * A token bucket for each key, as one number: the time at which its bucket will be full again (GCRA). No timers, and
 * nothing that grows.
 */
export function createRateLimiter({
  perSecond,
  burst,
  elapsedMs,
  mostKeys = 10_000,
}: RateLimits): RateLimiter {
  if (perSecond === 0) return { take: () => 0 }
  const intervalMs = 1000 / perSecond
  const fullAt = createBoundedMap<number>(mostKeys)
  return {
    take(key) {
      const now = elapsedMs()
      const full = Math.max(fullAt.get(key) ?? now, now)
      const waitMs = full + intervalMs - now - burst * intervalMs
      // A hair's breadth for what floats lose.
      if (waitMs > 1e-6) return waitMs
      fullAt.set(key, full + intervalMs)
      return 0
    },
  }
}
