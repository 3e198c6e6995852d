export interface RateLimit {
  /** Takes one turn of `key`. @returns Turns left in the window, or `undefined` when there was none to take. */
  take(key: string): number | undefined
}

/** A sliding window per key, in this process's memory. */
export function createRateLimit(options: {
  readonly perWindow: number
  readonly windowMs: number
  readonly now: () => number
}): RateLimit {
  const { perWindow, windowMs, now } = options
  const taken = new Map<string, number[]>()
  return {
    take(key) {
      const since = now() - windowMs
      for (const [other, times] of taken) if ((times.at(-1) ?? 0) <= since) taken.delete(other)
      const recent = (taken.get(key) ?? []).filter((at) => at > since)
      if (recent.length >= perWindow) return undefined
      taken.set(key, [...recent, now()])
      return perWindow - recent.length - 1
    },
  }
}
