/** First pause after an outage, and the longest; it doubles in between. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 10_000

/** Remembers an outage, so that it is paid for once and not by every load. */
export interface Breaker {
  /**
   * Whether the registry may be asked now. After each pause exactly one caller hears yes: the probe, which
   * must end in `answered` or `failed`.
   */
  mayAsk(): boolean
  /** The outage that nobody waits for any more, while it lasts. */
  readonly outage: Error | undefined
  /** The registry answered, whatever it said. @returns true when that ends an outage */
  answered(): boolean
  /** It did not answer. */
  failed(error: Error): void
}

export function createBreaker(now: () => number): Breaker {
  let outage: Error | undefined
  let pauseMs = 0
  let pausedAt = 0
  let isProbing = false

  return {
    mayAsk() {
      if (!outage) return true
      const waitedMs = now() - pausedAt
      // A clock that was set back must not make the pause longer.
      if (isProbing || (waitedMs >= 0 && waitedMs < pauseMs)) return false
      isProbing = true
      return true
    },
    get outage() {
      return outage
    },
    answered() {
      const ended = outage !== undefined
      outage = undefined
      isProbing = false
      return ended
    },
    failed(error) {
      // Requests that were under way when the pause began say nothing new.
      if (outage && !isProbing) return
      pauseMs = outage ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS
      outage = error
      pausedAt = now()
      isProbing = false
    },
  }
}
