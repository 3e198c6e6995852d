/** First pause after an outage, and the longest; it doubles in between. */
export const FIRST_PAUSE_MS = 1_000
export const LONGEST_PAUSE_MS = 10_000

/** The one request that asks, after a pause, whether the outage is over. */
export interface Probe {
  readonly startedAt: number
  /** Resolves when it is known; never rejects. */
  readonly ended: Promise<void>
}

/** Remembers an outage, so that it is paid for once and not by every load. */
export interface Breaker {
  /**
   * Whether the registry may be asked now. After each pause exactly one caller gets the probe, which must end in
   * `answered` or `failed`; until then the others hear no.
   */
  mayAsk(): boolean | Probe
  /** The outage that nobody waits for any more, while it lasts. */
  readonly outage: Error | undefined
  /** While it is under way. */
  readonly probe: Probe | undefined
  /** The registry answered, whatever it said. @returns true when that ends an outage */
  answered(): boolean
  /** It did not answer. `leave` is what `mayAsk` said to the request. */
  failed(error: Error, leave: boolean | Probe): void
}

export function createBreaker(now: () => number): Breaker {
  let outage: Error | undefined
  let pauseMs = 0
  let pausedAt = 0
  let probe: Probe | undefined
  let endProbe = () => {}

  function end(): void {
    probe = undefined
    endProbe()
  }

  return {
    mayAsk() {
      if (!outage) return true
      const startedAt = now()
      const waitedMs = startedAt - pausedAt
      // A clock that was set back must not make the pause longer.
      if (probe || (waitedMs >= 0 && waitedMs < pauseMs)) return false
      const ended = new Promise<void>((resolve) => {
        endProbe = resolve
      })
      probe = { startedAt, ended }
      return probe
    },
    get outage() {
      return outage
    },
    get probe() {
      return probe
    },
    answered() {
      const ended = outage !== undefined
      outage = undefined
      end()
      return ended
    },
    failed(error, leave) {
      // Requests that were under way when the pause began say nothing new.
      if (outage && leave !== probe) return
      pauseMs = outage ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS
      outage = error
      pausedAt = now()
      end()
    },
  }
}
